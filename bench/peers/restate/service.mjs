// The two workflows, as a service that Restate calls.
import * as restate from "@restatedev/restate-sdk";

const [port, steps] = process.argv.slice(2).map(Number);

const sequence = restate.workflow({
  name: "sequence",
  handlers: {
    run: async (context) => {
      let n = 0;
      for (let step = 0; step < steps; step++) n = await context.run(`s${step}`, () => n + 1);
      return n;
    },
  },
});
const wide = restate.workflow({
  name: "wide",
  handlers: {
    run: async (context, width) => {
      const results = await restate.RestatePromise.all(Array.from({ length: width }, (_, index) => context.run(`b${index}`, () => index)));
      return results.length;
    },
  },
});
await restate.serve({ services: [sequence, wide], port });
