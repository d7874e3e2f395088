import type { JsonObject } from "@tutti/model";
import type { Canaries, CanaryKind } from "./canaries.ts";
import { REFUSED } from "./hear.ts";
import { ALL_KINDS, http, IDEMPOTENT, login, Sheet } from "./sheet.ts";

/** Where the workflows find those who tell everything on. */
export interface Hostile {
  /** The HTTP server; it also has the documents that describe the others. */
  readonly origin: string;
  readonly grpcPort: number;
}

const container = (image: string, environment: JsonObject, more: JsonObject = {}): JsonObject => ({
  run: { container: { image: `canary/${image}:1`, environment, ...more }, ...(image === "echo" && { return: "all" }) },
});

export function containers(sheet: Sheet): JsonObject {
  for (const kind of ALL_KINDS) {
    sheet.tryOut(`echo-${kind}`, container("echo", { KEY: sheet.reveal(kind) }, { command: 'echo "$KEY"', arguments: ["a"] }));
    sheet.tryOut(`cut-${kind}`, container("cut", { KEY: sheet.reveal(kind) }));
  }
  for (const image of ["fail", "refuse-create", "refuse-start", "missing"])
    sheet.tryOut(image, container(image, { KEY: sheet.reveal("special"), [`MORE_${image.replace("-", "_")}`]: sheet.reveal("unicode") }));
  sheet.tryOut("not-awaited", { run: { ...(container("echo", { KEY: sheet.reveal("special") })["run"] as JsonObject), await: false } });
  // No value of an environment is an object: the refusal may not show what it is.
  sheet.tryOut("wrong-shape", container("echo", { KEY: sheet.reveal("special", "{key: .}") }));
  sheet.tryOut("wrong-name", container("echo", { KEY: sheet.reveal("special", '. + "\\u0000"') }));
  return sheet.document("containers");
}

const asyncapi = (origin: string, server: string, given: JsonObject): JsonObject => ({
  call: "asyncapi",
  with: { document: { endpoint: `${origin}/files/asyncapi.json` }, server: { name: server }, ...given },
  ...IDEMPOTENT,
});
const consumeOne: JsonObject = { consume: { amount: 1 } };

export function messages(sheet: Sheet, origin: string): JsonObject {
  const say = (server: string, channel: string, given: JsonObject): JsonObject => asyncapi(origin, server, { channel, ...given });
  const message = (kind: CanaryKind): JsonObject => ({ message: { payload: { key: sheet.reveal(kind) } } });
  for (const [channel, kind] of [
    ["echo", "special"],
    ["encodings", "lines"],
    ["status", "special"],
  ] as const) {
    const message = { payload: { key: sheet.reveal(kind) }, headers: { "X-Key": sheet.reveal("token") } };
    sheet.tryOut(`http-${channel}`, say("http", channel, { message, authentication: login("ana", sheet.reveal("unicode")) }));
  }
  sheet.tryOut(
    "variable",
    asyncapi(origin, "varied", {
      channel: "echo",
      server: { name: "varied", variables: { key: sheet.reveal("token") } },
      message: { payload: { n: 1 } },
    }),
  );
  sheet.tryOut("parameter", say("http", "addressed", message("token")));
  sheet.tryOut(
    "events",
    say("http", "events", { subscription: consumeOne, authentication: { bearer: { token: sheet.reveal("special") } } }),
  );
  sheet.tryOut("no-events", say("http", "status", { subscription: consumeOne, authentication: login("ana", sheet.reveal("unicode")) }));
  for (const channel of ["tell", "status", "refuse"]) {
    const authentication = login("ana", sheet.reveal("special"));
    sheet.tryOut(`ws-${channel}-subscribe`, say("ws", channel, { subscription: consumeOne, authentication }));
    sheet.tryOut(`ws-${channel}-publish`, say("ws", channel, { ...message("unicode"), authentication }));
  }
  for (const broker of ["mqtt", "nats"]) {
    for (const kind of ["special", "unicode"] as const)
      sheet.tryOut(
        `${broker}-subscribe-${kind}`,
        say(broker, "tell", { subscription: consumeOne, authentication: login("ana", sheet.reveal(kind)) }),
      );
    for (const channel of ["tell", "refuse"]) {
      const headers = { key: sheet.reveal("token") };
      sheet.tryOut(
        `${broker}-publish-${channel}`,
        say(broker, channel, { message: { payload: { key: sheet.reveal("special") }, headers } }),
      );
    }
    // The address itself is secret: it is part of what is logged of a message that was published.
    sheet.tryOut(`${broker}-address`, say(broker, "addressed", message("token")));
  }
  for (const broker of ["mqtt", "nats", "amqp"])
    sheet.tryOut(
      `${broker}-log-in`,
      say(broker, "queue", { ...message("token"), authentication: login(REFUSED, sheet.reveal("special")) }),
    );
  for (const [name, given] of [
    ["channel", { channel: sheet.reveal("special"), message: { payload: { n: 1 } } }],
    ["operation", { operation: sheet.reveal("special"), message: { payload: { n: 1 } } }],
    ["header", { channel: "tell", message: { payload: { n: 1 }, headers: { key: sheet.reveal("special", "{deep: .}") } } }],
    ["content", { channel: "tell", message: { payload: { key: sheet.reveal("special", "{(.): error}") } } }],
  ] as const)
    sheet.tryOut(`wrong-${name}`, asyncapi(origin, "http", given));
  sheet.tryOut("wrong-server", asyncapi(origin, sheet.reveal("special"), { channel: "tell", message: { payload: { n: 1 } } }));
  return sheet.document("messages");
}

const callGrpc = ({ origin, grpcPort }: Hostile, method: string, { service, ...given }: JsonObject): JsonObject => ({
  call: "grpc",
  with: {
    proto: { endpoint: `${origin}/files/echo.proto` },
    service: { name: "canary.Echo", host: "localhost", port: grpcPort, ...(service as JsonObject | undefined) },
    method,
    ...given,
  },
  ...IDEMPOTENT,
});

export function grpc(sheet: Sheet, hostile: Hostile): JsonObject {
  for (const [method, kinds] of [
    ["Tell", ["special", "unicode", "lines"]],
    ["Fail", ["special", "unicode", "lines"]],
    ["Stream", ["special"]],
    ["Garble", ["token"]],
    ["Refuse", ["special"]],
  ] as const) {
    for (const kind of kinds) {
      const authentication = kind === "lines" ? { bearer: { token: sheet.reveal("token") } } : login("ana", sheet.reveal(kind));
      const given = { key: sheet.reveal(kind), more: [sheet.reveal("special")], named: { key: sheet.reveal("token") } };
      sheet.tryOut(`${method}-${kind}`, callGrpc(hostile, method, { service: { authentication }, arguments: given }));
    }
  }
  for (const [name, given] of [
    ["number", { arguments: { count: sheet.reveal("special") } }],
    ["key", { arguments: { named: sheet.reveal("special", "{(.): 1}") } }],
    ["text", { arguments: { key: sheet.reveal("special", "[.]") } }],
    ["list", { arguments: { more: sheet.reveal("special") } }],
    ["service", { service: { name: sheet.reveal("special") } }],
  ] as const)
    sheet.tryOut(`wrong-${name}`, callGrpc(hostile, "Tell", { arguments: { key: "x" }, ...given }));
  sheet.tryOut("wrong-method", callGrpc(hostile, sheet.reveal("special"), { arguments: {} }));
  return sheet.document("grpc");
}

/**
 * A schedule starts it: by two events that belong together because both tell the same. Its secret is told on to it, and its events and its run have
 * what others told of it.
 */
export function scheduledWorkflow(canaries: Canaries, { origin }: Hostile): JsonObject {
  const sheet = new Sheet(canaries);
  const filter = (type: string): JsonObject => ({
    with: { type, data: "${ .told != null }" },
    correlate: { same: { from: "${ .data.told[0] }" } },
  });
  sheet.tryOut("ask", http({ endpoint: `${origin}/encodings`, body: { key: sheet.reveal("special"), again: "${ . }" } }));
  sheet.add("fail", { raise: { error: { type: "https://example.com/told", status: 400, detail: "${ $context | tojson }" } } });
  return sheet.document("scheduled", {
    schedule: { on: { all: [filter("canary.first"), filter("canary.second")] } },
    input: { from: "{ events: ., told: [.[].told] }" },
  });
}

/** What comes to a schedule is data of runs: a filter that could read a secret is refused when it is published. */
export function secretSchedule(canaries: Canaries): JsonObject {
  const sheet = new Sheet(canaries);
  sheet.add("note", { set: { x: 1 } });
  const filter = { with: { type: "canary.first", data: sheet.reveal("special", ". == $secrets") } };
  return sheet.document("secret-schedule", { schedule: { on: { one: filter } } });
}

export function faultedContainer(sheet: Sheet): JsonObject {
  sheet.add("fail", container("fail", { KEY: sheet.reveal("special") }));
  return sheet.document("faulted-container");
}

export function faultedMessage(sheet: Sheet, origin: string): JsonObject {
  sheet.add("log-in", {
    try: [{ say: asyncapi(origin, "nats", { channel: "refuse", message: { payload: { key: sheet.reveal("special") } } }) }],
    catch: { as: "e", do: [{ keep: { set: { e: "${ $e }" } } }] },
  });
  sheet.add("fail", asyncapi(origin, "http", { channel: "status", message: { payload: { key: sheet.reveal("special") } } }));
  return sheet.document("faulted-message");
}

export function faultedGrpc(sheet: Sheet, hostile: Hostile): JsonObject {
  sheet.add("fail", callGrpc(hostile, "Fail", { arguments: { key: sheet.reveal("special") } }));
  return sheet.document("faulted-grpc");
}
