import { type ChannelModel, connect, type ConfirmChannel, type ConsumeMessage, type Options } from "amqplib";
import { type JsonObject, ownProperty } from "@tutti/model";
import { DeliveryQueue } from "../delivery-queue.ts";
import { asObject, inbound, plainHeaders } from "../message.ts";
import {
  connectFirst,
  type Delivery,
  type Exchange,
  failure,
  lost,
  notConnected,
  notTaken,
  type Peer,
  placeOf,
  type Protocol,
  reasonOf,
  refusedLogin,
  type Source,
  within,
} from "../protocol.ts";
import { bindingText, type Target } from "../target.ts";

/** Messages that the broker lends at a time; with a filter, those that it does not want count as well until the subscription ends. */
const PREFETCH = 1000;
/** Reply codes of AMQP 0-9-1 that say why, with the HTTP status that means the same. */
const ACCESS_REFUSED = 403;

interface AmqpDelivery extends Delivery {
  readonly raw: ConsumeMessage;
}

/**
 * AMQP 0-9-1. Publishing is confirmed by the broker, and a message that no queue would get is an error. A subscription is lent its messages
 * and acknowledges them when they are stored with the run. Queues and exchanges are not declared: they belong to whoever runs the broker;
 * only a subscription by routing key gets a queue of its own, which ends with it.
 */
export const amqpProtocol: Protocol = {
  async publish(exchange, message) {
    const { target, attempt, limits } = exchange;
    const { connection, channel } = await open(exchange);
    try {
      const { exchangeName, routingKey } = routeOf(target);
      const { correlationId, ...headers } = message.headers;
      const published = new Promise<void>((resolve, reject) => {
        channel.once("return", (returned: { readonly fields: { readonly replyText?: string } }) =>
          reject(notTaken(target, `no queue gets messages of "${routingKey}" (${returned.fields.replyText ?? "unroutable"})`, 404)),
        );
        channel.once("error", (error: unknown) => reject(channelFailure(target, error)));
        connection.once("close", (error: unknown) => reject(lost(target, error ?? new Error("the broker closed the connection"))));
        const operation = target.bindings.operation;
        const options: Options.Publish = {
          mandatory: true,
          persistent: ownProperty(operation, "deliveryMode") !== 1,
          messageId: attempt.token,
          contentType: message.contentType,
          headers,
          ...(correlationId === undefined ? {} : { correlationId }),
          ...numberOption(operation, "expiration"),
          ...numberOption(operation, "priority"),
        };
        channel.publish(exchangeName, routingKey, message.body, options, (error: unknown) => {
          // A message that is returned is confirmed right after; the first word counts.
          if (error === null || error === undefined) resolve();
          else reject(notTaken(target, reasonOf(error)));
        });
      });
      await within(published, limits.acknowledgeMs, attempt, (why) => lost(target, new Error(why)));
      return {};
    } finally {
      await close(connection);
    }
  },

  async subscribe(exchange): Promise<Source> {
    const { target, attempt, limits } = exchange;
    const { connection, channel } = await open(exchange);
    const queue = new DeliveryQueue<AmqpDelivery>();
    channel.on("error", (error: unknown) => queue.fail(channelFailure(target, error)));
    connection.on("close", (error: unknown) => queue.fail(lost(target, error ?? new Error("the broker closed the connection"))));
    try {
      await within(
        (async () => {
          await channel.prefetch(PREFETCH);
          const name = await queueOf(channel, target);
          await channel.consume(name, (raw) => {
            if (raw === null) queue.fail(lost(target, new Error(`the queue "${name}" was deleted`)));
            else queue.push(deliveryOf(raw));
          });
        })(),
        limits.connectMs,
        attempt,
        (why) => lost(target, new Error(why)),
      );
    } catch (error) {
      await close(connection);
      throw error instanceof Error && error.name === "ConnectorError" ? error : channelFailure(target, error);
    }
    let isOver = false;
    return {
      deliveries: queue,
      keep: async (taken) => {
        // What comes from this queue is of its kind.
        for (const { raw } of taken as readonly AmqpDelivery[]) channel.ack(raw);
        // Its answer says that the broker has worked off the acknowledgements before it.
        await channel.close();
      },
      close: async () => {
        queue.end();
        if (isOver) return;
        isOver = true;
        await close(connection);
      },
    };
  },
};

function deliveryOf(raw: ConsumeMessage): AmqpDelivery {
  // The library's types leave open what the protocol says: short strings, and a table.
  const properties: Partial<Record<"messageId" | "contentType" | "correlationId", unknown>> = raw.properties;
  const { messageId } = properties;
  const { headers } = raw.properties;
  const all = plainHeaders({ ...headers, ...(messageId === undefined ? {} : { messageId }), routingKey: raw.fields.routingKey });
  const message = inbound(raw.content, textOr(properties.contentType), all, textOr(properties.correlationId));
  return { raw, message, bytes: raw.content.length };
}

function textOr(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function open(exchange: Exchange): Promise<Opened> {
  return connectFirst(exchange, (peer) => openAt(peer, exchange));
}

interface Opened {
  readonly connection: ChannelModel;
  readonly channel: ConfirmChannel;
}

async function openAt(peer: Peer, exchange: Exchange): Promise<Opened> {
  const { target, attempt, credentials, limits } = exchange;
  const { port, isSecure } = target;
  const connecting = connect(
    {
      protocol: isSecure ? "amqps" : "amqp",
      hostname: peer.address,
      port: port === 0 ? (isSecure ? 5671 : 5672) : port,
      vhost: decodeURIComponent(target.path.slice(1)) || "/",
      ...(credentials?.kind === "password" && { username: credentials.username, password: credentials.password }),
      ...(credentials?.kind === "token" && { username: "", password: credentials.token }),
    },
    {
      timeout: limits.connectMs,
      rejectUnauthorized: true,
      noDelay: true,
      ...(peer.servername === "" ? {} : { servername: peer.servername }),
      ...(peer.ca === undefined ? {} : { ca: peer.ca }),
    },
  );
  // One that comes too late is closed again.
  const giveUp = (why: string): ReturnType<typeof notConnected> => {
    void connecting.then(close, () => {});
    return notConnected(target, new Error(why));
  };
  let connection: ChannelModel;
  try {
    connection = await within(connecting, limits.connectMs, attempt, giveUp);
  } catch (error) {
    if (error instanceof Error && error.name === "ConnectorError") throw error;
    throw /ACCESS[-_]REFUSED|403/.test(reasonOf(error)) ? refusedLogin(target, reasonOf(error), error) : notConnected(target, error);
  }
  connection.on("error", () => {});
  try {
    const channel = await within(connection.createConfirmChannel(), limits.connectMs, attempt, (why) =>
      notConnected(target, new Error(why)),
    );
    channel.on("error", () => {});
    return { connection, channel };
  } catch (error) {
    await close(connection);
    throw error;
  }
}

/** Closing fails when the connection is gone already, which is as good. */
async function close(connection: ChannelModel): Promise<void> {
  await connection.close().catch(() => {});
}

/** A channel that the broker closes: 404 for what is not there, 403 for what is not allowed. */
function channelFailure(target: Target, error: unknown): ReturnType<typeof failure> {
  const code = error instanceof Error && "code" in error && typeof error.code === "number" ? error.code : undefined;
  if (code === undefined) return lost(target, error);
  return failure(`${placeOf(target)} refuses: ${reasonOf(error)}.`, {
    kind: code === ACCESS_REFUSED ? "authorization" : "communication",
    outcome: "answered",
    status: code >= 400 && code < 600 ? code : 500,
    cause: error,
  });
}

/** `is: queue` goes to the queue by the default exchange; `is: routingKey`, the binding's default, to its exchange. */
function routeOf({ bindings, address }: Target): { readonly exchangeName: string; readonly routingKey: string } {
  const { channel } = bindings;
  if (bindingText(channel, "is") === "queue")
    return { exchangeName: "", routingKey: bindingText(asObject(channel["queue"]), "name") ?? address };
  return { exchangeName: bindingText(asObject(channel["exchange"]), "name") ?? "", routingKey: address };
}

/** The queue to read: the binding's, the one of the channel's name, or one of our own that is bound to the exchange. */
async function queueOf(channel: ConfirmChannel, { bindings, address }: Target): Promise<string> {
  const name = bindingText(asObject(bindings.channel["queue"]), "name");
  if (name !== undefined) return name;
  const exchangeName = bindingText(asObject(bindings.channel["exchange"]), "name");
  if (bindingText(bindings.channel, "is") === "queue" || exchangeName === undefined || exchangeName === "") return address;
  const own = await channel.assertQueue("", { exclusive: true, autoDelete: true });
  await channel.bindQueue(own.queue, exchangeName, address);
  return own.queue;
}

function numberOption(binding: JsonObject, key: "expiration" | "priority"): { readonly [name: string]: number } {
  const value = ownProperty(binding, key);
  return typeof value === "number" ? { [key]: value } : {};
}
