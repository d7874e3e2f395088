import { randomUUID } from "node:crypto";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from "node:net";
import { TLSSocket } from "node:tls";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { connect as connectAmqp } from "amqplib";
import { connectAsync } from "mqtt";
import { httpClient } from "@tutti/connector-http";
import { Network } from "@tutti/connector-kit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import type { Json, JsonObject } from "@tutti/model";
import { BROKER_PORTS, hasLab, labCertificates, LOGIN, restartBroker, startBrokers, TLS_NAME, TLS_PORTS } from "./brokers-for-tests.ts";
import { type Bench, benchOf } from "./call-for-tests.ts";

// The real brokers of Debian. Names of topics, queues and streams are new in each run: what an earlier one left does not matter.
const ID = randomUUID().slice(0, 8);
const authentication = { basic: LOGIN };
const STREAM = `orders-${ID}`;

const DOCUMENT = {
  asyncapi: "3.0.0",
  info: { title: "brokers", version: "1.0.0" },
  servers: {
    mqtt: { host: `127.0.0.1:${BROKER_PORTS.mqtt}`, protocol: "mqtt" },
    mqtt5: { host: `127.0.0.1:${BROKER_PORTS.mqtt}`, protocol: "mqtt", protocolVersion: "5" },
    amqp: { host: `127.0.0.1:${BROKER_PORTS.amqp}`, protocol: "amqp" },
    nats: { host: `127.0.0.1:${BROKER_PORTS.nats}`, protocol: "nats" },
    deadMqtt: { host: "127.0.0.1:1", protocol: "mqtt" },
    deadAmqp: { host: "127.0.0.1:1", protocol: "amqp" },
    deadNats: { host: "127.0.0.1:1", protocol: "nats" },
  },
  channels: {
    readings: { address: `tutti/${ID}/{room}`, parameters: { room: {} } },
    queue: { address: `tutti.${ID}`, bindings: { amqp: { is: "queue", queue: { name: `tutti.${ID}` } } } },
    nowhere: { address: `tutti.${ID}.nowhere`, bindings: { amqp: { is: "queue" } } },
    routed: { address: `order.created.${ID}`, bindings: { amqp: { is: "routingKey", exchange: { name: "amq.topic" } } } },
    subject: { address: `tutti.${ID}.plain` },
    stream: { address: `tutti.${ID}.stream`, bindings: { nats: { "x-jetstream": { stream: STREAM, consumer: "worker" } } } },
    noStream: { address: `tutti.${ID}.none`, bindings: { nats: { "x-jetstream": true } } },
  },
  operations: {
    sendReading: { action: "receive", channel: { $ref: "#/channels/readings" }, bindings: { mqtt: { qos: 1, retain: true } } },
    onReading: { action: "send", channel: { $ref: "#/channels/readings" } },
  },
};

let bench: Bench;
let stopBrokers: () => Promise<void> = async () => {};

beforeAll(async () => {
  if (!hasLab) return;
  stopBrokers = await startBrokers();
  bench = await benchOf(DOCUMENT);
}, 300_000);

afterAll(async () => {
  await bench?.remove();
  await stopBrokers();
}, 300_000);

function publish(server: string, channel: string, payload: Json, more: JsonObject = {}): JsonObject {
  return { channel, server: { name: server }, message: { payload, ...more }, authentication };
}

function subscribe(server: string, channel: string, consume: JsonObject, more: JsonObject = {}): JsonObject {
  return { channel, server: { name: server }, subscription: { consume, ...more }, authentication };
}

describe.skipIf(!hasLab).each([
  ["mqtt", "deadMqtt", "subject"],
  ["amqp", "deadAmqp", "queue"],
  ["nats", "deadNats", "subject"],
])("every broker: %s", (server, dead, channel) => {
  test("a wrong password is an authentication error, and nothing was sent", async () => {
    const call = bench.call({ ...publish(server, channel, {}), authentication: { basic: { username: "lab", password: "wrong" } } });
    await expect(call).rejects.toMatchObject({ errorKind: "authentication", outcome: "never-began", status: 401 });
  });

  test("a broker that is not there: nothing was sent, and trying again may help", async () => {
    await expect(bench.call(publish(dead, channel, {}))).rejects.toMatchObject({
      errorKind: "communication",
      outcome: "never-began",
      retryable: true,
    });
  });

  test("a subscription that is stopped ends without having consumed anything", async () => {
    const controller = new AbortController();
    if (server === "amqp") await declareQueue(`tutti.${ID}`);
    const call = bench.call(subscribe(server, channel, { amount: 1 }), bench.attempt({ signal: controller.signal }));
    controller.abort();
    await expect(call).rejects.toMatchObject({ name: "ConnectorError" });
  });

  test("a subscription whose time is up gives what came so far: nothing", async () => {
    if (server === "amqp") await declareQueue(`tutti.${ID}`);
    expect(await bench.call(subscribe(server, channel, { amount: 1, for: "PT0.2S" }))).toEqual([]);
  });
});

describe.skipIf(!hasLab)("MQTT", () => {
  const readings = { operation: "sendReading", authentication };

  test("a message is published with the version, content type and headers that the document says, and found by a subscription", async () => {
    const attempt = bench.attempt({ taskInput: { room: "kitchen" } });
    const message = { payload: { celsius: 21 }, headers: { site: "b", correlationId: "c1" } };
    expect(await bench.call({ ...readings, server: { name: "mqtt5" }, message }, attempt)).toEqual({
      messageId: attempt.token,
      channel: `tutti/${ID}/kitchen`,
    });
    // It is retained, so that whoever subscribes now is given it.
    const taken = await bench.call(
      { operation: "onReading", server: { name: "mqtt5" }, authentication, subscription: { consume: { amount: 1 } } },
      bench.attempt({ taskInput: { room: "kitchen" } }),
    );
    expect(taken).toEqual([
      {
        payload: { celsius: 21 },
        headers: { topic: `tutti/${ID}/kitchen`, "message-id": attempt.token, site: "b" },
        correlationId: "c1",
      },
    ]);
  });

  test("MQTT 3.1.1 has no headers, and says so", async () => {
    const call = bench.call(
      { ...readings, server: { name: "mqtt" }, message: { payload: 1, headers: { a: "b" } } },
      bench.attempt({ taskInput: { room: "x" } }),
    );
    await expect(call).rejects.toMatchObject({ errorKind: "configuration", outcome: "never-began" });
  });

  test("a subscription goes on while its condition holds, with a filter before it", async () => {
    const topic = `tutti/${ID}/hall`;
    const questions = {
      filter: (message: Json) => Number((message as { payload: { n: number } }).payload.n) % 2 === 0,
      while: (taken: Json) => (taken as Json[]).length < 3,
    };
    const attempt = bench.attempt({ taskInput: { room: "hall" }, questions });
    const taking = bench.call(
      {
        operation: "onReading",
        server: { name: "mqtt" },
        authentication,
        subscription: { filter: "${ … }", consume: { while: "${ … }" } },
      },
      attempt,
    );
    const client = await connectAsync({ host: "127.0.0.1", port: BROKER_PORTS.mqtt, ...LOGIN });
    let n = 0;
    const ticking = setInterval(() => client.publish(topic, JSON.stringify({ n: n++ })), 20);
    const taken = (await taking) as { payload: { n: number } }[];
    clearInterval(ticking);
    await client.endAsync();
    expect(taken).toHaveLength(3);
    expect(taken.map(({ payload }) => payload.n % 2)).toEqual([0, 0, 0]);
  });
});

describe.skipIf(!hasLab)("AMQP", () => {
  test("a published message is confirmed, persistent, and carries the token as its id", async () => {
    const queue = `tutti.${ID}`;
    await declareQueue(queue);
    const attempt = bench.attempt();
    await bench.call(publish("amqp", "queue", { order: 7 }, { headers: { tenant: "t1", correlationId: "c7" } }), attempt);
    const message = await getMessage(queue);
    expect(message?.properties).toMatchObject({
      messageId: attempt.token,
      contentType: "application/json",
      correlationId: "c7",
      deliveryMode: 2,
      headers: { tenant: "t1" },
    });
    expect(JSON.parse(message?.content.toString() ?? "")).toEqual({ order: 7 });
  });

  test("a message that no queue gets is an error of the broker, and never silently lost", async () => {
    await expect(bench.call(publish("amqp", "nowhere", {}))).rejects.toMatchObject({ outcome: "answered", status: 404 });
    await expect(bench.call(publish("amqp", "routed", {}))).rejects.toMatchObject({ outcome: "answered", status: 404 });
  });

  test("consumed messages leave the queue when the output is stored, not before", async () => {
    const queue = `tutti.${ID}`;
    await declareQueue(queue);
    for (const n of [1, 2, 3]) await bench.call(publish("amqp", "queue", { n }));
    const attempt = bench.attempt();
    const taken = (await bench.call(subscribe("amqp", "queue", { amount: 2 }), attempt)) as { payload: Json }[];
    expect(taken.map(({ payload }) => payload)).toEqual([{ n: 1 }, { n: 2 }]);
    // Lent to the subscription: nobody else gets them, and they are not gone. The third may have been lent as well, or not yet.
    expect(await countReady(queue)).toBeLessThanOrEqual(1);
    await attempt.store();
    expect(await waitForCount(queue, 1)).toBe(1);
    expect(JSON.parse((await getMessage(queue))?.content.toString() ?? "")).toEqual({ n: 3 });
  });

  test("control: what was consumed and not stored comes again", async () => {
    const queue = `tutti.${ID}`;
    await declareQueue(queue);
    await bench.call(publish("amqp", "queue", { n: 1 }));
    const hasty = await benchOf(DOCUMENT, { limits: { storeMs: 50 } });
    try {
      const attempt = hasty.attempt();
      expect(await hasty.call(subscribe("amqp", "queue", { amount: 1 }), attempt)).toHaveLength(1);
      expect(await waitForCount(queue, 1)).toBe(1);
    } finally {
      await hasty.remove();
    }
    expect((await getMessage(queue))?.fields.redelivered).toBe(true);
  });

  test("messages that the filter does not want stay in the queue", async () => {
    const queue = `tutti.${ID}`;
    await declareQueue(queue);
    for (const n of [1, 2]) await bench.call(publish("amqp", "queue", { n }));
    const attempt = bench.attempt({ questions: { filter: (message) => (message as { payload: { n: number } }).payload.n === 2 } });
    expect(await bench.call(subscribe("amqp", "queue", { amount: 1 }, { filter: "${ .payload.n == 2 }" }), attempt)).toHaveLength(1);
    await attempt.store();
    expect(await waitForCount(queue, 1)).toBe(1);
    expect(JSON.parse((await getMessage(queue))?.content.toString() ?? "")).toEqual({ n: 1 });
  });

  test("a queue that is not there is the broker's answer", async () => {
    await expect(bench.call(subscribe("amqp", "nowhere", { amount: 1 }))).rejects.toMatchObject({ outcome: "answered", status: 404 });
  });

  test("a subscription by routing key gets a queue of its own", async () => {
    const attempt = bench.attempt();
    const taking = bench.call(subscribe("amqp", "routed", { amount: 1 }), attempt);
    // Published until it arrives: the queue is bound at some moment in between.
    let isDone = false;
    void taking.finally(() => {
      isDone = true;
    });
    while (!isDone) await bench.call(publish("amqp", "routed", { id: 1 })).catch(() => {});
    expect(await taking).toMatchObject([{ payload: { id: 1 }, headers: { routingKey: `order.created.${ID}` } }]);
    await attempt.store();
  });
});

describe.skipIf(!hasLab)("NATS", () => {
  test("a plain message has the token in its header", async () => {
    const nats = await connectNats({ servers: `127.0.0.1:${BROKER_PORTS.nats}`, user: "lab", pass: "lab" });
    const subscription = nats.subscribe(`tutti.${ID}.plain`, { max: 1 });
    await nats.flush();
    const attempt = bench.attempt();
    await bench.call(publish("nats", "subject", { a: 1 }, { headers: { site: "b" } }), attempt);
    for await (const message of subscription) {
      expect(message.json()).toEqual({ a: 1 });
      expect([message.headers?.get("Nats-Msg-Id"), message.headers?.get("site")]).toEqual([attempt.token, "b"]);
    }
    await nats.close();
  });

  test("JetStream acknowledges a message and drops a second one of the same token", async () => {
    await makeStream();
    const attempt = bench.attempt();
    const first = await bench.call(publish("nats", "stream", { n: 1 }), attempt);
    expect(first).toMatchObject({ stream: STREAM, duplicate: false });
    expect(await bench.call(publish("nats", "stream", { n: 1 }), attempt)).toEqual({ ...(first as JsonObject), duplicate: true });
    await expect(bench.call(publish("nats", "noStream", {}))).rejects.toMatchObject({ outcome: "answered", status: 404 });
  });

  test("a consumer's messages are acknowledged when the output is stored", async () => {
    await makeStream();
    for (const n of ["1", "2"])
      await bench.call(publish("nats", "stream", { n }), bench.attempt({ token: `tok_${n.repeat(32)}` as never }));
    const unstored = await benchOf(DOCUMENT, { limits: { storeMs: 20 } });
    expect(await unstored.call(subscribe("nats", "stream", { amount: 2 }))).toMatchObject([
      { payload: { n: "1" } },
      { payload: { n: "2" } },
    ]);
    await unstored.remove();
    const attempt = bench.attempt();
    const taken = (await bench.call(subscribe("nats", "stream", { amount: 2 }), attempt)) as { payload: { n: string } }[];
    // The control: what was not stored came again, in whatever order the server lends it.
    expect(taken.map(({ payload }) => payload.n).toSorted()).toEqual(["1", "2"]);
    await attempt.store();
    expect(await bench.call(subscribe("nats", "stream", { amount: 1, for: "PT0.3S" }))).toEqual([]);
  });
});

/** The brokers' second ports, by names that the test's network leads to this machine; and the same with a certificate of nobody's. */
describe.skipIf(!hasLab)("TLS", () => {
  let certificates: ReturnType<typeof labCertificates>;
  const servers: (HttpsServer | TcpServer)[] = [];
  /** Bytes that came over a connection whose certificate should have been refused, and WebSockets that were opened. */
  let received = 0;

  beforeAll(() => {
    certificates = labCertificates();
  });
  afterEach(async () => {
    received = 0;
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  });

  async function listen(server: HttpsServer | TcpServer): Promise<number> {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    // A server that listens on a port has an address with it.
    return (server.address() as AddressInfo).port;
  }

  /** A server of WebSockets that answers the closing frame, with a certificate of the lab's. */
  async function serveWebSocket(identity: { readonly key: string; readonly cert: string }): Promise<number> {
    const server = createHttpsServer(identity);
    const sockets = new WebSocketServer({ server });
    sockets.on("connection", () => {
      received += 1;
    });
    return listen(server);
  }

  /** What looks like the broker, and has a certificate that it has signed itself. NATS greets in the clear and goes on with TLS. */
  async function serveSelfSigned(name: string): Promise<number> {
    const identity = { key: certificates.selfKey, cert: certificates.self };
    if (name === "wss") return serveWebSocket(identity);
    const listener = createTcpServer((socket) => {
      socket.on("error", () => {});
      if (name === "nats") socket.write(`INFO ${JSON.stringify({ server_id: "x", version: "2.9.0", proto: 1, tls_required: true })}\r\n`);
      const secured = new TLSSocket(socket, { isServer: true, ...identity });
      secured.on("error", () => {});
      secured.on("data", (chunk: Buffer) => {
        received += chunk.length;
        // It has no more to say: nobody is to wait for an answer.
        socket.destroy();
      });
    });
    return listen(listener);
  }

  async function securedPort(name: string): Promise<number> {
    if (name === "wss") return serveWebSocket({ key: certificates.serverKey, cert: certificates.server });
    return TLS_PORTS[name as keyof typeof TLS_PORTS];
  }

  /** One message to `host`, whatever that is, as the settings `tls.authorities` trust. */
  async function publishTo(
    name: string,
    { host = TLS_NAME, port, trusted, more = {} }: { host?: string; port: number; trusted: readonly string[]; more?: JsonObject },
  ): Promise<Json> {
    const network = new Network({ certificateAuthorities: trusted, resolve: async () => [{ address: "127.0.0.1", family: 4 }] });
    const protocol = { mqtt: "mqtts", amqp: "amqps", nats: "secure-nats", wss: "wss", plain: "nats" }[name] ?? "";
    const document = {
      ...DOCUMENT,
      servers: { secured: { host: `${host}:${port}`, protocol } },
    };
    const made = await benchOf(document, { http: httpClient({ network }) });
    try {
      return await made.call({ ...publish("secured", name === "amqp" ? "queue" : "subject", { a: 1 }), ...more });
    } finally {
      await made.remove();
    }
  }

  const refusal = (...words: readonly string[]): unknown =>
    expect.objectContaining({
      errorKind: "communication",
      outcome: "never-began",
      retryable: false,
      message: expect.stringMatching(new RegExp(words.map((word) => `(?=.*${word})`).join(""))) as string,
    });

  describe.each(["mqtt", "amqp", "nats", "wss"])("%s", (name) => {
    test("a certificate of an authority that the operator added is accepted", async () => {
      if (name === "amqp") await declareQueue(`tutti.${ID}`);
      const port = await securedPort(name);
      expect(await publishTo(name, { port, trusted: [certificates.authority] })).toMatchObject({
        channel: `tutti.${ID}.plain`.replace(name === "amqp" ? ".plain" : "", ""),
      });
    });

    test("one of an unknown authority is refused, with the setting that would add it", async () => {
      const port = await securedPort(name);
      await expect(publishTo(name, { port, trusted: [] })).rejects.toEqual(
        refusal(`broker\\.lab\\.test:${port}`, "not trusted", "tls\\.authorities", "settings\\.yaml", "TUTTI_CA_FILE"),
      );
    });

    test("one for another name is refused, also for the address that it stands for", async () => {
      const port = await securedPort(name);
      for (const host of ["other.lab.test", "127.0.0.1"])
        await expect(publishTo(name, { host, port, trusted: [certificates.authority] })).rejects.toEqual(
          refusal("another name", "DNS:broker\\.lab\\.test"),
        );
    });

    test("one that is signed by itself is refused before anything is told, unless just this one was added", async () => {
      const port = await serveSelfSigned(name);
      await expect(publishTo(name, { port, trusted: [certificates.authority] })).rejects.toEqual(
        refusal("signed by itself", "tls\\.authorities", "TUTTI_CA_FILE"),
      );
      expect(received).toBe(0);
      // The control: when it is trusted, the log-in arrives.
      const trusting = publishTo(name, { port, trusted: [certificates.self] });
      trusting.catch(() => {});
      await expect.poll(() => received, { timeout: 120_000 }).toBeGreaterThan(0);
      if (name === "wss") expect(await trusting).toMatchObject({ channel: `tutti.${ID}.plain` });
    });
  });

  test("NATS: a server that wants TLS says so, and the call may ask for it; one without TLS is told nothing", async () => {
    const trusted = [certificates.authority];
    const port = TLS_PORTS.nats;
    await expect(publishTo("plain", { port, trusted })).rejects.toMatchObject({
      outcome: "never-began",
      message: expect.stringContaining("it wants TLS; say so with `protocol: secure-nats`") as string,
    });
    expect(await publishTo("plain", { port, trusted, more: { protocol: "secure-nats" } })).toMatchObject({ channel: `tutti.${ID}.plain` });
    await expect(publishTo("nats", { port: BROKER_PORTS.nats, trusted })).rejects.toMatchObject({ outcome: "never-began" });
  });
});

describe.skipIf(!hasLab)("a broker that goes away", () => {
  test("ends a subscription as lost", async () => {
    const listening = Promise.withResolvers<void>();
    const filter = (): boolean => {
      listening.resolve();
      return false;
    };
    const taking = bench.call(
      subscribe("nats", "subject", { amount: 1 }, { filter: "${ false }" }),
      bench.attempt({ questions: { filter } }),
    );
    const outcome = taking.catch((error: unknown) => error);
    const ticking = setInterval(() => void bench.call(publish("nats", "subject", {})).catch(() => {}), 50);
    await listening.promise;
    clearInterval(ticking);
    await restartBroker("nats");
    expect(await outcome).toMatchObject({ errorKind: "communication", outcome: "unknown", retryable: true });
  });
});

async function withChannel<T>(
  use: (channel: Awaited<ReturnType<Awaited<ReturnType<typeof connectAmqp>>["createChannel"]>>) => Promise<T>,
): Promise<T> {
  const connection = await connectAmqp({ hostname: "127.0.0.1", port: BROKER_PORTS.amqp, ...LOGIN });
  try {
    return await use(await connection.createChannel());
  } finally {
    await connection.close();
  }
}

/** An empty, durable queue. */
async function declareQueue(name: string): Promise<void> {
  await withChannel(async (channel) => {
    await channel.assertQueue(name, { durable: true });
    await channel.purgeQueue(name);
  });
}

function getMessage(
  queue: string,
): Promise<Exclude<Awaited<ReturnType<Parameters<Parameters<typeof withChannel>[0]>[0]["get"]>>, false> | undefined> {
  return withChannel(async (channel) => {
    const message = await channel.get(queue, { noAck: true });
    return message === false ? undefined : message;
  });
}

function countReady(queue: string): Promise<number> {
  return withChannel(async (channel) => (await channel.checkQueue(queue)).messageCount);
}

/** Messages of a connection that was closed are ready again a moment later. */
async function waitForCount(queue: string, count: number): Promise<number> {
  const until = performance.now() + 120_000;
  let found = await countReady(queue);
  while (found !== count && performance.now() < until) found = await countReady(queue);
  return found;
}

/** An empty stream with its consumer. */
async function makeStream(): Promise<void> {
  const nats = await connectNats({ servers: `127.0.0.1:${BROKER_PORTS.nats}`, user: "lab", pass: "lab" });
  const manager = await jetstreamManager(nats);
  await manager.streams.delete(STREAM).catch(() => {});
  await manager.streams.add({ name: STREAM, subjects: [`tutti.${ID}.stream`] });
  await manager.consumers.add(STREAM, { durable_name: "worker", ack_policy: "explicit" });
  await nats.close();
}
