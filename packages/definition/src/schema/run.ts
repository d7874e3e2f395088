import { z } from "zod";
import { AnyObject, closed, exactlyOneOf } from "./building-blocks.ts";
import { ExternalResource } from "./data-flow.ts";
import { Duration } from "./text.ts";

const LIFETIME_RULE = {
  if: { properties: { cleanup: { const: "eventually" } } },
  then: { required: ["after"] },
  else: { not: { required: ["after"] } },
};
const ContainerLifetime = closed({ cleanup: z.enum(["always", "never", "eventually"]), after: Duration.optional() })
  .superRefine((lifetime, context) => {
    const needed = lifetime.cleanup === "eventually";
    if (needed === Object.hasOwn(lifetime, "after")) return;
    const message = needed ? "`cleanup: eventually` needs `after`" : "`after` goes with `cleanup: eventually` only";
    context.addIssue({ code: "custom", message, params: { whole: true } });
  })
  .meta(LIFETIME_RULE);

const Container = closed({
  image: z.string(),
  name: z.string().optional(),
  command: z.string().optional(),
  ports: AnyObject.optional(),
  volumes: AnyObject.optional(),
  environment: AnyObject.optional(),
  stdin: z.string().optional(),
  arguments: z.array(z.string()).optional(),
  lifetime: ContainerLifetime.optional(),
  pullPolicy: z.enum(["ifNotPresent", "always", "never"]).optional(),
});

const processFields = { stdin: z.string().optional(), arguments: z.array(z.string()).optional(), environment: AnyObject.optional() };
const Script = exactlyOneOf(
  closed({ ...processFields, language: z.string(), code: z.string().optional(), source: ExternalResource.optional() }),
  ["code", "source"],
);
const Shell = closed({ ...processFields, command: z.string() });
const Subflow = closed({ namespace: z.string(), name: z.string(), version: z.string(), input: AnyObject.optional() });

export const RunConfiguration = exactlyOneOf(
  closed({
    await: z.boolean().optional(),
    return: z.enum(["stdout", "stderr", "code", "all", "none"]).optional(),
    container: Container.optional(),
    script: Script.optional(),
    shell: Shell.optional(),
    workflow: Subflow.optional(),
  }),
  ["container", "script", "shell", "workflow"],
);
