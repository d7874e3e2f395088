import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Connector, ConnectorError, type ConnectorFunction } from "../connector.ts";
import { connectorLaws } from "./laws.ts";
import { ask, toyConnector, toyUnderTest } from "./toy-connector-for-tests.ts";
import { ToyService } from "./toy-service-for-tests.ts";

const service = new ToyService();
let url = "";
beforeAll(async () => {
  url = await service.start();
});
afterAll(() => service.stop());

describe("a sound connector", () => {
  for (const law of connectorLaws(toyUnderTest(service, "http://127.0.0.1:1")).map(({ name }) => name))
    test(`${law}`, async () => {
      await connectorLaws(toyUnderTest(service, url))
        .find(({ name }) => name === law)
        ?.run();
    });
});

/** Wrong in one way each, with the law that must notice it. */
const CONTROLS: readonly (readonly [what: string, law: string, broken: (sound: Connector) => Connector])[] = [
  [
    "an output that does not fit its schema",
    "thing.create:1: input and output have a JSON Schema, and values survive JSON",
    changed("thing.create:1", (toy) => ({ run: async (input, attempt) => ({ ...((await toy.run(input, attempt)) as object), more: 1 }) })),
  ],
  [
    "a check that is always well",
    "a provider that works is healthy, and one that does not says what is wrong and the way out",
    (sound) => ({ ...sound, check: async () => ({ status: "healthy", version: undefined }) }),
  ],
  [
    "a look that makes something",
    "thing.list:1: a look changes nothing",
    changed("thing.list:1", (toy) => ({
      run: async (input, attempt) => {
        await ask(attempt, "PUT", "left", { size: 1, token: attempt.token });
        return toy.run(input, attempt);
      },
    })),
  ],
  [
    "a create that keeps no token",
    "thing.create:1: what it made is in the list, under its token",
    (sound) => withThing(sound, { token: () => undefined }),
  ],
  [
    "a list that lacks something",
    "thing.create:1: what it made is in the list, under its token",
    (sound) => withThing(sound, { list: async () => [] }),
  ],
  [
    "a change that changes nothing",
    "thing.resize:1: what it changes or deletes is what it says",
    changed("thing.resize:1", () => ({ run: async () => ({ before: 1 }) })),
  ],
  [
    "a delete that fails the second time",
    "thing.delete:1: deleting what is gone is done already",
    changed("thing.delete:1", () => ({
      run: async ({ name }, attempt) => {
        await ask(attempt, "DELETE", name as string);
        return { name: name ?? null };
      },
    })),
  ],
  [
    "a find that takes anything of the name",
    "thing.create:1: it is found by its token, and by no other",
    changed("thing.create:1", () => ({
      find: async ({ name }, attempt) => (await ask(attempt, "GET", name as string, undefined, [404])) as never,
    })),
  ],
  [
    "a find that finds nothing",
    "thing.create:1: it is found by its token, and by no other",
    changed("thing.create:1", () => ({ find: async () => undefined })),
  ],
  [
    "a change whose repetition takes its own work for what was before",
    "thing.resize:1: the same token again is the same effect and the same output",
    changed("thing.resize:1", () => ({
      run: async ({ name, size }, attempt) => {
        const before = await ask(attempt, "GET", name as string);
        await ask(attempt, "PATCH", name as string, { size: size ?? 0, token: attempt.token });
        return { before: before?.size ?? 0 };
      },
    })),
  ],
  [
    "an undo that forgets",
    "thing.resize:1: its undo restores what was, also when it is carried out twice",
    changed("thing.resize:1", () => ({ undo: { call: "thing.resize:1", with: { name: "${ .input.name }", size: 0 } } })),
  ],
  [
    "a preview that does it",
    "thing.create:1: its preview has no effect and names what then happens",
    changed("thing.create:1", (toy) => ({
      preview: async (input, attempt) => {
        await toy.run(input, attempt);
        return { effects: [], output: undefined };
      },
    })),
  ],
  [
    "a preview that names nothing",
    "thing.create:1: its preview has no effect and names what then happens",
    changed("thing.create:1", () => ({ preview: async () => ({ effects: [], output: undefined }) })),
  ],
  [
    "a preview that leaves out the name of something that is not made",
    "thing.delete:1: its preview has no effect and names what then happens",
    changed("thing.delete:1", () => ({
      preview: async () => ({ effects: [{ kind: "create", resource: "thing", isReversible: false }], output: undefined }),
    })),
  ],
  [
    "a preview that does not say to whom something is sent",
    "thing.list:1: its preview has no effect and names what then happens",
    changed("thing.list:1", () => ({
      preview: async () => ({ effects: [{ kind: "send", resource: "mail", isReversible: false }], output: undefined }),
    })),
  ],
  [
    "a preview that names more than happens",
    "thing.delete:1: its preview has no effect and names what then happens",
    changed("thing.delete:1", (toy) => ({
      preview: async (input, attempt) => {
        const shown = await toy.preview?.(input, attempt);
        return {
          effects: [...(shown?.effects ?? []), { kind: "delete", resource: "thing", name: "x", isReversible: false }],
          output: undefined,
        };
      },
    })),
  ],
  [
    "a create that is made under a name of its own each time",
    "thing.create:1: whichever request or answer is lost, doubled or fails late, there is one effect in the end, and its undo restores what was",
    changed("thing.create:1", () => ({
      effect: "idempotent",
      run: async ({ name, size }, attempt) =>
        (await ask(attempt, "PUT", `${name as string}${attempt.number}`, { size: size ?? 0, token: attempt.token })) as never,
    })),
  ],
  [
    "a lost answer that is said to be none",
    "thing.create:1: whichever request or answer is lost, doubled or fails late, there is one effect in the end, and its undo restores what was",
    failing("thing.create:1", (error) => ({
      outcome: error.outcome === "unknown" ? "never-began" : error.outcome,
      retryable: error.retryable,
    })),
  ],
  [
    "a refused connection that is said to be unknown",
    "thing.list:1: nothing listens: it never began, and may be tried again",
    failing("thing.list:1", ({ retryable }) => ({ outcome: "unknown", retryable })),
  ],
  [
    "a busy target that is given up",
    "thing.list:1: a target that can't now may be asked again",
    failing("thing.list:1", ({ outcome }) => ({ outcome, retryable: false })),
  ],
  [
    "wrong credentials that are tried again",
    "thing.list:1: wrong credentials are permanent, and said to be that",
    failing("thing.list:1", ({ outcome }) => ({ outcome, retryable: true })),
  ],
  [
    "a refusal that is tried again",
    "thing.create:1: what the target will never take is permanent and changes nothing",
    failing("thing.create:1", ({ outcome }) => ({ outcome, retryable: true })),
  ],
  [
    "an error that is not the connector's",
    "thing.list:1: garbage, or another system's success, is an error of the connector's own words",
    changed("thing.list:1", (toy) => ({
      run: (input, attempt) =>
        toy.run(input, attempt).catch(() => {
          throw new SyntaxError("Unexpected token '<'");
        }),
    })),
  ],
  [
    "a success that anybody's success is taken for",
    "thing.delete:1: garbage, or another system's success, is an error of the connector's own words",
    changed("thing.delete:1", (toy) => ({
      run: (input, attempt) => toy.run(input, attempt).catch(() => ({ name: input["name"] ?? null })),
    })),
  ],
  [
    "an answer that is taken however long it is",
    "thing.list:1: an answer without an end is cut off",
    changed("thing.list:1", () => ({
      run: async (_input, attempt) => {
        const at = attempt.provider?.configuration["url"] as string;
        const response = await fetch(`${at}/things/`, { signal: attempt.signal });
        // Thrown away, so that the test needs no memory for it.
        for await (const _part of response.body ?? []);
        return { things: [] };
      },
    })),
  ],
  [
    "an error that quotes the key",
    "thing.list:1: a target that tells everything it was sent tells no secret on",
    changed("thing.list:1", (toy) => ({ run: (input, attempt) => toy.run(input, { ...attempt, masked: (text) => text }) })),
  ],
  [
    "a find that takes silence for absence",
    "thing.create:1: a target that is out of reach is never taken for absence",
    changed("thing.create:1", (toy) => ({ find: async (input, attempt) => toy.find?.(input, attempt).catch(() => undefined) })),
  ],
  [
    "a list that takes silence for nothing",
    "a list or a reading of a target that is out of reach fails",
    (sound) => withThing(sound, { list: async (access) => (await sound.resources?.["thing"]?.list(access).catch(() => [])) ?? [] }),
  ],
  [
    "a call that can't be stopped",
    "thing.list:1: an abort ends it, and before the first request it never begins",
    changed("thing.list:1", (toy) => ({ run: (input, attempt) => toy.run(input, { ...attempt, signal: new AbortController().signal }) })),
  ],
];

describe("controls: a connector that is broken fails the law", () => {
  test.each(CONTROLS)("%s", async (_, name, broken) => {
    const law = connectorLaws(toyUnderTest(service, url, toyConnector(broken))).find((each) => each.name === name);
    expect(law?.name).toBe(name);
    const verdict = await law?.run().catch((error: unknown) => error);
    expect(verdict).toMatchObject({ name: "LawBroken" });
  });

  test("each law has a control", () => {
    const laws = connectorLaws(toyUnderTest(service, url)).map(({ name }) => name.replace(/^\S+:1: /, ""));
    const controlled = new Set(CONTROLS.map(([, name]) => name.replace(/^\S+:1: /, "")));
    const described = "the suite has a case for each function, and a credential to look for";
    expect([...new Set(laws)].filter((name) => !controlled.has(name))).toEqual([described]);
  });

  test("a description without a case, or without a credential, is no description", async () => {
    const whole = toyUnderTest(service, url);
    const [first] = connectorLaws({ ...whole, functions: {} });
    await expect(first?.run()).rejects.toThrow("has a case for thing.create:1, thing.resize:1, thing.delete:1, thing.list:1");
    const open: typeof whole.open = async (fault) => {
      const target = await whole.open(fault);
      return { ...target, provider: { ...target.provider, credentials: { key: "short" } } };
    };
    const [again] = connectorLaws({ ...whole, open });
    await expect(again?.run()).rejects.toThrow("can be looked for");
  });
});

function changed(name: string, change: (sound: ConnectorFunction) => Partial<ConnectorFunction>): (sound: Connector) => Connector {
  return (sound) => {
    const declared = sound.functions[name] as ConnectorFunction;
    return { ...sound, functions: { ...sound.functions, [name]: { ...declared, ...change(declared) } } };
  };
}

/** A function that says something else of its failures than is true. */
function failing(
  name: string,
  told: (error: ConnectorError) => Pick<ConnectorError, "outcome" | "retryable">,
): (sound: Connector) => Connector {
  return changed(name, (toy) => ({
    run: (input, attempt) =>
      toy.run(input, attempt).catch((error: unknown) => {
        if (!(error instanceof ConnectorError)) throw error;
        throw new ConnectorError(error.message, { kind: error.errorKind, ...told(error) });
      }),
  }));
}

function withThing(sound: Connector, change: Partial<NonNullable<Connector["resources"]>[string]>): Connector {
  const thing = sound.resources?.["thing"];
  if (thing === undefined) throw new Error("the toy has things");
  return { ...sound, resources: { thing: { ...thing, ...change } } };
}
