import { connect, type IClientOptions, type IPublishPacket, type MqttClient } from "mqtt";
import { type Json, ownProperty } from "@tutti/model";
import { misfit } from "../asyncapi-document.ts";
import { DeliveryQueue } from "../delivery-queue.ts";
import { inbound, plainHeaders } from "../message.ts";
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

/** Return codes of a refused log-in: MQTT 3.1.1 (4, 5) and 5 (134, 135, 140). */
const LOGIN_CODES = new Set([4, 5, 134, 135, 140]);
/** MQTT 5, section 3.4.2.1: the message was accepted and nobody listens. */
const NO_SUBSCRIBERS = 16;

/**
 * MQTT 3.1.1 and 5. Quality of service is 1 unless the binding says otherwise: the broker acknowledges each message. A subscription acknowledges
 * what it is given at once: the protocol has no way to give a message back.
 */
export const mqttProtocol: Protocol = {
  async publish(exchange, message) {
    const { target, attempt, limits } = exchange;
    const isFive = isVersionFive(target);
    if (!isFive && Object.keys(message.headers).length > 0)
      throw misfit('MQTT 3.1.1 has no headers: leave them out, or let the server speak MQTT 5 (protocolVersion: "5").');
    const { correlationId, ...userProperties } = message.headers;
    const client = await open(exchange);
    const qos = qosOf(target);
    try {
      const published = new Promise<void>((resolve, reject) => {
        const onLost = (error: unknown): void => reject(lost(target, error));
        client.once("error", onLost);
        client.once("close", () => onLost(new Error("the broker closed the connection")));
        const options = {
          qos,
          retain: ownProperty(target.bindings.operation, "retain") === true,
          ...(isFive && {
            properties: {
              contentType: message.contentType,
              userProperties: { "message-id": attempt.token, ...userProperties },
              ...(correlationId === undefined ? {} : { correlationData: Buffer.from(correlationId) }),
            },
          }),
        };
        client.publish(target.address, message.body, options, (error) => {
          if (error === undefined || error === null) return resolve();
          const code = codeOf(error);
          if (code === NO_SUBSCRIBERS) resolve();
          else
            reject(
              code !== undefined && code >= 128 ? notTaken(target, reasonOf(error), code === 135 ? 403 : undefined) : lost(target, error),
            );
        });
      });
      await within(published, limits.acknowledgeMs, attempt, (why) => lost(target, new Error(why)));
      return {};
    } finally {
      end(client);
    }
  },

  async subscribe(exchange): Promise<Source> {
    const { target, attempt, limits } = exchange;
    const queue = new DeliveryQueue<Delivery>();
    const client = await open(exchange, (opened) => {
      opened.on("message", (_topic, body, packet) => queue.push(deliveryOf(body, packet)));
      opened.on("error", (error) => queue.fail(lost(target, error)));
      opened.on("close", () => queue.fail(lost(target, new Error("the broker closed the connection"))));
    });
    try {
      const granted = await within(client.subscribeAsync(target.address, { qos: qosOf(target) }), limits.connectMs, attempt, (why) =>
        lost(target, new Error(why)),
      ).catch((error: unknown) => {
        throw codeOf(error) === undefined ? error : notTaken(target, `the subscription is refused (${reasonOf(error)})`, 403);
      });
      if (granted.some((grant) => grant.qos >= 128)) throw notTaken(target, "the subscription is refused", 403);
    } catch (error) {
      end(client);
      throw error;
    }
    return {
      deliveries: queue,
      close: async () => {
        queue.end();
        end(client);
      },
    };
  },
};

function deliveryOf(body: Buffer, packet: IPublishPacket): Delivery {
  const { userProperties = {}, contentType, correlationData } = packet.properties ?? {};
  const headers = plainHeaders({ topic: packet.topic, ...userProperties });
  return { message: inbound(body, contentType, headers, correlationData?.toString("utf8")), bytes: body.length };
}

function open(exchange: Exchange, listen?: (client: MqttClient) => void): Promise<MqttClient> {
  return connectFirst(exchange, (peer) => openAt(peer, exchange, listen));
}

async function openAt(peer: Peer, exchange: Exchange, listen?: (client: MqttClient) => void): Promise<MqttClient> {
  const { target, attempt, credentials, limits } = exchange;
  const server = target.bindings.server;
  const cleanSession = ownProperty(server, "cleanSession") !== false;
  const options: IClientOptions = {
    protocol: target.isSecure ? "mqtts" : "mqtt",
    host: peer.address,
    ...(peer.servername === "" ? {} : { servername: peer.servername }),
    ...(peer.ca === undefined ? {} : { ca: peer.ca }),
    port: target.port === 0 ? (target.isSecure ? 8883 : 1883) : target.port,
    protocolVersion: isVersionFive(target) ? 5 : 4,
    // One attempt is one connection: the engine decides what follows from its loss.
    reconnectPeriod: 0,
    connectTimeout: limits.connectMs,
    rejectUnauthorized: true,
    clean: cleanSession,
    clientId: bindingText(server, "clientId") ?? `tutti-${attempt.token.slice(4, 20)}-${attempt.number}`,
    ...(credentials?.kind === "password" && { username: credentials.username, password: credentials.password }),
    ...(credentials?.kind === "token" && { username: "token", password: credentials.token }),
  };
  const client = connect(options);
  listen?.(client);
  const connected = new Promise<void>((resolve, reject) => {
    client.once("connect", () => resolve());
    client.once("error", (error) => {
      const code = codeOf(error);
      reject(code !== undefined && LOGIN_CODES.has(code) ? refusedLogin(target, reasonOf(error), error) : notConnected(target, error));
    });
    client.once("close", () => reject(notConnected(target, new Error("the broker closed the connection"))));
  });
  try {
    await within(connected, limits.connectMs, attempt, (why) => notConnected(target, new Error(why)));
    return client;
  } catch (error) {
    end(client);
    throw error;
  }
}

function end(client: MqttClient): void {
  // Errors of a connection that is given up have nobody to tell.
  client.on("error", () => {});
  client.end(true);
}

function isVersionFive(target: Target): boolean {
  return target.protocolVersion?.startsWith("5") === true;
}

function qosOf(target: Target): 0 | 1 | 2 {
  const qos: Json | undefined = ownProperty(target.bindings.operation, "qos");
  return qos === 0 || qos === 2 ? qos : 1;
}

function codeOf(error: unknown): number | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "number" ? error.code : undefined;
}
