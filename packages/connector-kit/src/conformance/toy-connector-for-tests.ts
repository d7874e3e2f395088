import type { Json, JsonObject } from "@tutti/model";
import { z } from "zod";
import { parseInput } from "../check-schema.ts";
import { type Attempt, type Connector, ConnectorError, type ConnectorFunction } from "../connector.ts";
import { defineConnector } from "../define-connector.ts";
import { type ProviderAccess, readProvider } from "../provider.ts";
import { type Thing, TOY_KEY, type ToyService } from "./toy-service-for-tests.ts";
import type { ConnectorUnderTest } from "./connector-under-test.ts";
import { httpTarget } from "./http-target.ts";

const SCHEMAS = { configuration: z.object({ url: z.url() }), credentials: z.object({ key: z.string() }) };
const Sized = z.strictObject({ name: z.string(), size: z.number() });
const Named = z.strictObject({ name: z.string(), token: z.string().optional() });
const ThingSchema = z.strictObject({ name: z.string(), size: z.number(), token: z.string() });
const Known = z.object({
  name: z.string(),
  size: z.number(),
  token: z.string(),
  was: z.object({ token: z.string(), size: z.number() }).optional(),
});
const ThingAnswer = z.union([Known, z.array(Known), z.null()]);
const ANSWER_BYTES_MAX = 1024 * 1024;
const TIMES = { requestTimeoutMs: 1000, settleMs: 0 };

/** The toy's connector as it should be; a control breaks one part of it. */
export function toyConnector(change: (sound: Connector) => Connector = (sound) => sound): Connector {
  return defineConnector(
    change({
      name: "toy",
      version: "1.0.0",
      ...SCHEMAS,
      check: async (access) => {
        await ask(access, "GET", "");
        return { status: "healthy", version: undefined };
      },
      resources: {
        thing: {
          title: "A thing",
          schema: ThingSchema,
          id: (thing) => (thing as unknown as Thing).name,
          token: (thing) => (thing as unknown as Thing).token,
          read: async (id, access) => shown(await look(access, id)),
          list: async (access) => (await list(access)).map((thing) => shown(thing) as Json),
        },
      },
      functions: { "thing.create:1": create, "thing.resize:1": resize, "thing.delete:1": remove, "thing.list:1": listing },
    }),
  );
}

const create: ConnectorFunction = {
  ...TIMES,
  title: "Make a thing",
  input: Sized,
  output: ThingSchema,
  effect: "findable",
  unique: true,
  creates: "thing",
  undo: { call: "thing.delete:1", with: { name: "${ .output.name }", token: "${ .output.token }" } },
  run: async (input, attempt) => {
    const { name, size } = parseInput(Sized, input);
    const made = await ask(attempt, "PUT", name, { size, token: attempt.token }, [409]);
    // The request arrived twice: what is there is ours.
    const thing = made ?? (await look(attempt, name));
    if (thing?.token === attempt.token) return shown(thing) ?? null;
    throw new ConnectorError(`There is a thing ${name} already.`, { kind: "validation", outcome: "answered" });
  },
  find: async (input, attempt) => {
    const thing = await look(attempt, parseInput(Sized, input).name);
    return thing?.token === attempt.token ? shown(thing) : undefined;
  },
  preview: async (input, attempt) => {
    const after = { ...parseInput(Sized, input), token: attempt.token };
    return { effects: [{ kind: "create", resource: "thing", name: after.name, after, isReversible: true }], output: after };
  },
};

const resize: ConnectorFunction = {
  ...TIMES,
  title: "Change the size of a thing",
  input: Sized,
  output: z.strictObject({ before: z.number() }),
  effect: "idempotent",
  changes: "thing",
  undo: { call: "thing.resize:1", with: { name: "${ .input.name }", size: "${ .output.before }" } },
  run: async (input, attempt) => {
    const { name, size } = parseInput(Sized, input);
    const thing = await ask(attempt, "PATCH", name, { size, token: attempt.token });
    return { before: thing?.was?.size ?? size };
  },
  preview: async (input, attempt) => {
    const { name, size } = parseInput(Sized, input);
    const before = await look(attempt, name);
    if (before === undefined) throw new ConnectorError(`There is no thing ${name}.`, { kind: "validation", outcome: "answered" });
    return { effects: [{ kind: "change", resource: "thing", name, after: { size }, isReversible: true }], output: { before: before.size } };
  },
};

const remove: ConnectorFunction = {
  ...TIMES,
  title: "Delete a thing",
  input: Named,
  output: z.strictObject({ name: z.string() }),
  effect: "idempotent",
  deletes: "thing",
  irreversible: true,
  run: async (input, attempt) => {
    const { name, token } = parseInput(Named, input);
    const thing = await look(attempt, name);
    if (thing !== undefined && token !== undefined && thing.token !== token)
      throw new ConnectorError(`Thing ${name} is another one.`, { kind: "validation", outcome: "answered" });
    if (thing !== undefined) await ask(attempt, "DELETE", name, undefined, [404]);
    return { name };
  },
  preview: async (input) => {
    const { name } = parseInput(Named, input);
    return { effects: [{ kind: "delete", resource: "thing", name, isReversible: false }], output: { name } };
  },
};

const listing: ConnectorFunction = {
  ...TIMES,
  title: "List the things",
  input: z.strictObject({}),
  output: z.strictObject({ things: z.array(ThingSchema) }),
  effect: "read",
  run: async (_input, attempt) => ({ things: (await list(attempt)).map((thing) => shown(thing) as Json) }),
};

/** The suite's description of the toy. */
export function toyUnderTest(service: ToyService, url: string, connector: Connector = toyConnector()): ConnectorUnderTest {
  const provider = (key: string) => (at: string) => ({ name: "toy", configuration: { url: at }, credentials: { key } });
  const make = async ({ name, call }: { readonly name: string; readonly call: (name: string, input: JsonObject) => Promise<Json> }) => {
    await call("thing.create:1", { name, size: 1 });
    return name;
  };
  return {
    connector,
    open: httpTarget({ url, provider: provider(TOY_KEY), denied: provider("another-key") }),
    cleanUp: async () => service.things.clear(),
    functions: {
      "thing.create:1": { input: ({ name }) => ({ name, size: 3 }), refused: ({ name }) => ({ name, size: -1 }) },
      "thing.resize:1": { input: async (given) => ({ name: await make(given), size: 7 }), refused: ({ name }) => ({ name, size: 7 }) },
      "thing.delete:1": { input: async (given) => ({ name: await make(given) }) },
      "thing.list:1": { input: () => ({}) },
    },
  };
}

function shown(thing: Thing | undefined): Json | undefined {
  return thing === undefined ? undefined : { name: thing.name, size: thing.size, token: thing.token };
}

async function look(access: ProviderAccess, name: string): Promise<Thing | undefined> {
  return ask(access, "GET", name, undefined, [404]);
}

async function list(access: ProviderAccess): Promise<readonly Thing[]> {
  const things: unknown = await ask(access, "GET", "");
  if (Array.isArray(things)) return things as readonly Thing[];
  throw strange();
}

/** One request; a status in `absent` gives undefined. */
export async function ask(
  access: ProviderAccess,
  method: string,
  name: string,
  body?: JsonObject,
  absent: readonly number[] = [],
): Promise<Thing | undefined> {
  const { configuration, credentials } = readProvider(SCHEMAS, access);
  if (access.signal.aborted) throw new ConnectorError("It was stopped before it began.", { kind: "timeout", outcome: "never-began" });
  const sent = {
    method,
    headers: { "x-key": credentials.key },
    signal: access.signal,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
  let response: Response;
  let text: string;
  try {
    response = await fetch(`${configuration.url}/things/${encodeURIComponent(name)}`, sent);
    text = await textOf(response);
  } catch (cause) {
    if (cause instanceof ConnectorError) throw cause;
    const isRefused = cause instanceof Error && String(cause.cause).includes("ECONNREFUSED");
    throw new ConnectorError(isRefused ? "Nothing listens there." : "The connection was lost.", {
      kind: "communication",
      outcome: isRefused ? "never-began" : "unknown",
      retryable: true,
      cause,
    });
  }
  if (absent.includes(response.status)) return undefined;
  if (!response.ok) throw refused(response.status, (access as Attempt).masked(text).slice(0, 200));
  return thingOf(text);
}

/** A toy's things are few; what is longer is none of its answers. */
async function textOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  // A fetch body is a stream of bytes; the types of the standard library leave that open.
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    parts.push(part);
    length += part.length;
    if (length > ANSWER_BYTES_MAX) throw strange();
  }
  return Buffer.concat(parts).toString("utf8");
}

function refused(status: number, text: string): ConnectorError {
  return new ConnectorError(`The toy answered ${status}: ${text}`, {
    kind: status === 401 ? "authentication" : "communication",
    outcome: "answered",
    retryable: status >= 500,
    status,
  });
}

function thingOf(text: string): Thing | undefined {
  try {
    const value = ThingAnswer.parse(JSON.parse(text));
    // A list is asked for by `list` only, which looks again.
    return value === null ? undefined : (value as Thing);
  } catch {
    throw strange();
  }
}

function strange(): ConnectorError {
  return new ConnectorError("The toy answered something else than a toy does.", { kind: "communication", outcome: "unknown" });
}
