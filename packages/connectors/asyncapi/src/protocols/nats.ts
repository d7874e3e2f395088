import { jetstream, JetStreamApiError, type JsMsg } from "@nats-io/jetstream";
import { connect, errors, headers as natsHeaders, type MsgHdrs, type NatsConnection, type TlsOptions } from "@nats-io/transport-node";
import { type Json, type JsonObject, ownProperty } from "@tutti/model";
import { misfit } from "../asyncapi-document.ts";
import { DeliveryQueue } from "../delivery-queue.ts";
import { asObject, type Encoded, inbound, plainHeaders } from "../message.ts";
import {
  connectFirst,
  type Delivery,
  type Exchange,
  lost,
  notConnected,
  notTaken,
  type Peer,
  type Protocol,
  reasonOf,
  refusedLogin,
  type Source,
  within,
} from "../protocol.ts";
import { bindingText, type Target } from "../target.ts";

/** Messages that a consumer of JetStream lends at a time. */
const LENT_MAX = 1000;
/**
 * Messages that are given back are lent again after this time: at once, the server may lend them to the very subscription that is ending, where
 * nobody takes them. Closing the connection takes a few milliseconds.
 */
const GIVE_BACK_MS = 500;
/** The header by which JetStream drops a second message within a stream's window (2 minutes unless the stream says otherwise). */
const MESSAGE_ID = "Nats-Msg-Id";

/**
 * NATS. A plain message is published when the server has answered a ping behind it. With `x-jetstream` in the binding of the operation or
 * channel, JetStream acknowledges it, and a subscription is lent the messages of the consumer that is named there (`{stream, consumer}`).
 */
export const natsProtocol: Protocol = {
  async publish(exchange, message) {
    const { target, attempt, limits } = exchange;
    const connection = await open(exchange);
    try {
      const published =
        jetStreamOf(target) === undefined ? plainPublish(connection, exchange, message) : durablePublish(connection, exchange, message);
      return await within(published, limits.acknowledgeMs, attempt, (why) => lost(target, new Error(why)));
    } finally {
      await close(connection);
    }
  },

  async subscribe(exchange): Promise<Source> {
    const connection = await open(exchange);
    try {
      const js = jetStreamOf(exchange.target);
      return js === undefined ? await plainSubscription(connection, exchange) : await durableSubscription(connection, exchange, js);
    } catch (error) {
      await close(connection);
      throw error;
    }
  },
};

async function plainPublish(connection: NatsConnection, { target, attempt }: Exchange, message: Encoded): Promise<JsonObject> {
  const refused = permissionProblem(connection, target);
  try {
    connection.publish(target.address, message.body, { headers: headersOf(message, attempt.token) });
  } catch (error) {
    // Too large for the server, or no subject: the client looks before it sends.
    throw notTaken(target, reasonOf(error));
  }
  try {
    await Promise.race([connection.flush(), refused]);
  } catch (error) {
    throw error instanceof Error && error.name === "ConnectorError" ? error : lost(target, error);
  }
  return {};
}

async function durablePublish(connection: NatsConnection, { target, attempt, limits }: Exchange, message: Encoded): Promise<JsonObject> {
  const refused = permissionProblem(connection, target);
  try {
    const stored = await Promise.race([
      jetstream(connection).publish(target.address, message.body, {
        msgID: attempt.token,
        headers: headersOf(message, attempt.token),
        timeout: limits.acknowledgeMs,
        retries: 0,
      }),
      refused,
    ]);
    return { stream: stored.stream, sequence: stored.seq, duplicate: stored.duplicate };
  } catch (error) {
    if (error instanceof Error && error.name === "ConnectorError") throw error;
    if (error instanceof JetStreamApiError) throw notTaken(target, reasonOf(error));
    // Nobody answered: no stream listens on the subject, or the server has no JetStream. The library does not export this class.
    if (error instanceof Error && (error.name === "JetStreamNotEnabled" || error.constructor.name === "JetStreamNotEnabled"))
      throw notTaken(target, `no stream takes messages of "${target.address}"`, 404);
    throw lost(target, error);
  }
}

async function plainSubscription(connection: NatsConnection, { target, attempt, limits }: Exchange): Promise<Source> {
  const queue = new DeliveryQueue<Delivery>();
  const group = bindingText(target.bindings.operation, "queue");
  const refused = permissionProblem(connection, target);
  connection.subscribe(target.address, {
    ...(group === undefined ? {} : { queue: group }),
    callback: (error, message) => {
      if (error === null) queue.push({ message: read(message.data, message.headers, message.subject), bytes: message.data.length });
      else queue.fail(error instanceof errors.PermissionViolationError ? notTaken(target, reasonOf(error), 403) : lost(target, error));
    },
  });
  void connection
    .closed()
    .then((error) => queue.fail(lost(target, error instanceof Error ? error : new Error("the server closed the connection"))));
  // The server has the subscription when it answers a ping behind it.
  await within(Promise.race([connection.flush(), refused]), limits.connectMs, attempt, (why) => lost(target, new Error(why)));
  return {
    deliveries: queue,
    close: async () => {
      queue.end();
      await close(connection);
    },
  };
}

interface LentDelivery extends Delivery {
  readonly lent: JsMsg;
}

async function durableSubscription(
  connection: NatsConnection,
  { target, attempt, limits }: Exchange,
  settings: JsonObject,
): Promise<Source> {
  const stream = bindingText(settings, "stream");
  const name = bindingText(settings, "consumer");
  if (stream === undefined || name === undefined)
    throw misfit("A subscription by JetStream needs `x-jetstream: { stream, consumer }` in its NATS binding.");
  const queue = new DeliveryQueue<LentDelivery>();
  const open = new Set<JsMsg>();
  const messages = await within(
    (async () => (await jetstream(connection).consumers.get(stream, name)).consume({ max_messages: LENT_MAX }))(),
    limits.connectMs,
    attempt,
    (why) => lost(target, new Error(why)),
  ).catch((error: unknown) => {
    throw error instanceof JetStreamApiError ? notTaken(target, reasonOf(error), 404) : lost(target, error);
  });
  void (async () => {
    try {
      for await (const lent of messages) {
        open.add(lent);
        queue.push({ lent, message: read(lent.data, lent.headers, lent.subject), bytes: lent.data.length });
      }
      queue.fail(lost(target, new Error("the server ended the subscription")));
    } catch (error) {
      queue.fail(lost(target, error));
    }
  })();
  void connection.closed().then(() => queue.fail(lost(target, new Error("the server closed the connection"))));
  let isOver = false;
  return {
    deliveries: queue,
    keep: async (taken) => {
      // What comes from this queue is of its kind.
      for (const { lent } of taken as readonly LentDelivery[]) {
        open.delete(lent);
        // Answered by the server, so that nothing is delivered again.
        await lent.ackAck({ timeout: limits.connectMs });
      }
    },
    close: async () => {
      queue.end();
      if (isOver) return;
      isOver = true;
      messages.stop();
      // Given back, since otherwise they would come again only after the consumer's waiting time.
      for (const lent of open) lent.nak(GIVE_BACK_MS);
      await connection.flush().catch(() => {});
      await close(connection);
    },
  };
}

function open(exchange: Exchange): Promise<NatsConnection> {
  return connectFirst(exchange, (peer) => openAt(peer, exchange));
}

async function openAt(peer: Peer, exchange: Exchange): Promise<NatsConnection> {
  const { target, attempt, credentials, limits } = exchange;
  const connecting = connect({
    servers: `${peer.address.includes(":") ? `[${peer.address}]` : peer.address}:${target.port === 0 ? 4222 : target.port}`,
    name: "tutti",
    timeout: limits.connectMs,
    // One attempt is one connection: the engine decides what follows from its loss.
    reconnect: false,
    ignoreClusterUpdates: true,
    tls: target.isSecure ? tlsOptions(peer) : null,
    ...(credentials?.kind === "password" && { user: credentials.username, pass: credentials.password }),
    ...(credentials?.kind === "token" && { token: credentials.token }),
  });
  // One that comes too late is closed again.
  const giveUp = (why: string): ReturnType<typeof notConnected> => {
    void connecting.then(close, () => {});
    return notConnected(target, new Error(why));
  };
  try {
    return await within(connecting, limits.connectMs, attempt, giveUp);
  } catch (error) {
    if (error instanceof Error && error.name === "ConnectorError") throw error;
    if (error instanceof errors.AuthorizationError || causeOf(error) instanceof errors.AuthorizationError)
      throw refusedLogin(target, reasonOf(error), error);
    throw notConnected(target, !target.isSecure && wantsTls(error) ? new Error(WANTS_TLS, { cause: error }) : error);
  }
}

const WANTS_TLS = "it wants TLS; say so with `protocol: secure-nats`, in the call or in the document";

/** A server that wants TLS where none is to be spoken: the library then looks for settings that it was told are not there. */
function wantsTls(error: unknown): boolean {
  return error instanceof TypeError || causeOf(error) instanceof TypeError;
}

/**
 * Without these options the library would take TLS up where a server offers it, look at nobody's name, and not know the operator's authorities. With
 * them it sends nothing to a server that has no TLS.
 */
function tlsOptions({ address, servername, ca }: Peer): TlsOptions {
  const given = {
    rejectUnauthorized: true,
    // The certificate is compared with the name, or else with the address.
    ...(servername === "" ? { host: address } : { servername }),
    ...(ca === undefined ? {} : { ca }),
  };
  // All of them are passed on to Node's TLS, which knows more than the library's type says: a list of authorities, the name.
  return given as unknown as TlsOptions;
}

async function close(connection: NatsConnection): Promise<void> {
  await connection.close().catch(() => {});
}

/** Fails when the server says that the subject is not for these credentials; it says so without closing anything. */
function permissionProblem(connection: NatsConnection, target: Target): Promise<never> {
  const watch = async (): Promise<never> => {
    for await (const status of connection.status()) {
      if (status.type === "error" && status.error instanceof errors.PermissionViolationError)
        throw notTaken(target, reasonOf(status.error), 403);
    }
    return new Promise<never>(() => {});
  };
  const problem = watch();
  problem.catch(() => {});
  return problem;
}

function headersOf(message: Encoded, token: string): MsgHdrs {
  const headers = natsHeaders();
  headers.set(MESSAGE_ID, token);
  headers.set("Content-Type", message.contentType);
  for (const [name, value] of Object.entries(message.headers)) headers.set(name, value);
  return headers;
}

function read(data: Uint8Array, given: MsgHdrs | undefined, subject: string): ReturnType<typeof inbound> {
  const headers: Record<string, Json> = {};
  for (const [name, values] of given ?? []) headers[name] = values.length === 1 ? (values[0] ?? "") : [...values];
  const contentType = given?.get("Content-Type");
  return inbound(data, contentType === "" ? undefined : contentType, plainHeaders({ ...headers, subject }));
}

function jetStreamOf({ bindings }: Target): JsonObject | undefined {
  const found = ownProperty(bindings.operation, "x-jetstream") ?? ownProperty(bindings.channel, "x-jetstream");
  return found === undefined || found === false ? undefined : asObject(found);
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
