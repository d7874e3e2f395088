import { isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import { type AsyncapiDocument, dereference, misfit, type Named, objectOf, textOf } from "./asyncapi-document.ts";
import type { AsyncapiInput } from "./asyncapi-input.ts";
import { scalarText } from "./message.ts";

/** Protocols that this connector speaks, by the names that documents and calls use. */
const PROTOCOLS = {
  http: { family: "http", isSecure: false },
  https: { family: "http", isSecure: true },
  ws: { family: "ws", isSecure: false },
  wss: { family: "ws", isSecure: true },
  mqtt: { family: "mqtt", isSecure: false },
  mqtts: { family: "mqtt", isSecure: true },
  "secure-mqtt": { family: "mqtt", isSecure: true },
  mqtt5: { family: "mqtt", isSecure: false },
  amqp: { family: "amqp", isSecure: false },
  amqps: { family: "amqp", isSecure: true },
  nats: { family: "nats", isSecure: false },
  // NATS has no name of its own for TLS; AsyncAPI calls the one of MQTT so.
  "secure-nats": { family: "nats", isSecure: true },
} as const satisfies Readonly<Record<string, { readonly family: string; readonly isSecure: boolean }>>;
export type Family = (typeof PROTOCOLS)[keyof typeof PROTOCOLS]["family"];

/** Where a message goes to or comes from, with everything that the document says about it. */
export interface Target {
  readonly family: Family;
  readonly isSecure: boolean;
  /** `mqtt5` and a `protocolVersion` of 5 are the same. */
  readonly protocolVersion: string | undefined;
  readonly host: string;
  /** 0 when the server names none: the protocol's own. */
  readonly port: number;
  /** With a slash at its beginning, or empty. */
  readonly path: string;
  /** Topic, subject, queue, routing key or path. */
  readonly address: string;
  /** Bindings of the protocol: of the server, the channel, the operation. */
  readonly bindings: { readonly server: JsonObject; readonly channel: JsonObject; readonly operation: JsonObject };
  readonly contentType: string;
}

/**
 * Finds the operation or channel, its server and its address.
 *
 * @throws ConnectorError never-began: something that the call names is not in the document, or can't be reached by this connector.
 */
export function resolveTarget(document: AsyncapiDocument, input: AsyncapiInput, taskInput: Json): Target {
  const { channel, operation } = input.operation === undefined ? byChannel(document, input) : byOperation(document, input.operation, input);
  const server = serverOf(document, channel.value, input);
  const protocol = protocolOf(server.value, input.protocol);
  const { host, port, path } = addressOfServer(server, input);
  const bindings = {
    server: bindingOf(document, server.value, protocol.family),
    channel: bindingOf(document, channel.value, protocol.family),
    operation: bindingOf(document, operation, protocol.family),
  };
  const template = document.version === 3 ? (textOf(channel.value, "address") ?? channel.name) : channel.name;
  return {
    ...protocol,
    protocolVersion: textOf(server.value, "protocolVersion") ?? (textOf(server.value, "protocol") === "mqtt5" ? "5" : undefined),
    host,
    port,
    path,
    address: fillAddress(template, parametersOf(document, channel.value), { input, taskInput }),
    bindings,
    contentType: contentTypeOf(document, channel.value, operation),
  };
}

interface Found {
  readonly channel: Named;
  readonly operation: JsonObject;
}

function byChannel(document: AsyncapiDocument, input: AsyncapiInput): Found {
  const name = input.channel ?? "";
  const channels = objectOf(document, document.root, "channels");
  const channel = dereference(document, ownProperty(channels, name));
  if (channel === undefined) throw misfit(`The AsyncAPI document has no channel "${name}"; it has: ${listed(Object.keys(channels))}.`);
  const operation = document.version === 2 ? objectOf(document, channel.value, input.message === undefined ? "subscribe" : "publish") : {};
  return { channel: { name, value: channel.value }, operation };
}

function byOperation(document: AsyncapiDocument, id: string, input: AsyncapiInput): Found {
  return document.version === 3 ? byOperation3(document, id) : byOperation2(document, id, input);
}

function byOperation3(document: AsyncapiDocument, id: string): Found {
  const operations = objectOf(document, document.root, "operations");
  const operation = dereference(document, ownProperty(operations, id))?.value;
  if (operation === undefined) throw misfit(`The AsyncAPI document has no operation "${id}"; it has: ${listed(Object.keys(operations))}.`);
  const channel = dereference(document, ownProperty(operation, "channel"));
  if (channel === undefined) throw misfit(`The operation "${id}" of the AsyncAPI document names no channel.`);
  return { channel, operation };
}

function byOperation2(document: AsyncapiDocument, id: string, input: AsyncapiInput): Found {
  const known: string[] = [];
  for (const [name, item] of Object.entries(objectOf(document, document.root, "channels"))) {
    const channel = dereference(document, item)?.value;
    if (channel === undefined) continue;
    for (const kind of ["publish", "subscribe"] as const) {
      const operation = objectOf(document, channel, kind);
      const found = textOf(operation, "operationId");
      if (found === undefined) continue;
      known.push(found);
      if (found !== id) continue;
      // In version 2 the words say what clients may do.
      if ((kind === "publish") !== (input.message !== undefined))
        throw misfit(
          `The operation "${id}" is for clients that ${kind}: give the call a ${kind === "publish" ? "message" : "subscription"}.`,
        );
      return { channel: { name, value: channel }, operation };
    }
  }
  throw misfit(`The AsyncAPI document has no operation "${id}"; it has: ${listed(known)}.`);
}

/** The server that the call names, or the first one of the channel that speaks a protocol of ours (the one asked for, if any). */
function serverOf(document: AsyncapiDocument, channel: JsonObject, input: AsyncapiInput): Named {
  const all = Object.entries(objectOf(document, document.root, "servers")).flatMap(([name, item]): readonly Named[] => {
    const server = dereference(document, item);
    return server === undefined ? [] : [{ name, value: server.value }];
  });
  if (all.length === 0) throw misfit("The AsyncAPI document names no server.");
  if (input.server !== undefined) {
    const wanted = input.server.name;
    const server = all.find(({ name }) => name === wanted);
    if (server === undefined)
      throw misfit(`The AsyncAPI document has no server "${wanted}"; it has: ${listed(all.map(({ name }) => name))}.`);
    return server;
  }
  const own = channelServers(channel);
  const candidates = own.length === 0 ? all : all.filter(({ name }) => own.includes(name));
  const server = candidates.find(({ value }) => {
    const protocol = (textOf(value, "protocol") ?? "").toLowerCase();
    if (!Object.hasOwn(PROTOCOLS, protocol)) return false;
    return input.protocol === undefined || protocol === input.protocol || familyOf(protocol) === familyOf(input.protocol);
  });
  if (server !== undefined) return server;
  const there = listed(candidates.map(({ name, value }) => `${name} (${textOf(value, "protocol") ?? "no protocol"})`));
  throw misfit(
    `No server of the channel speaks ${input.protocol ?? `one of ${Object.keys(PROTOCOLS).join(", ")}`}; the document has: ${there}.`,
  );
}

function familyOf(protocol: string): string | undefined {
  return Object.hasOwn(PROTOCOLS, protocol) ? PROTOCOLS[protocol as keyof typeof PROTOCOLS].family : undefined;
}

/** Names in version 2, references to servers in version 3. */
function channelServers(channel: JsonObject): readonly string[] {
  const servers = ownProperty(channel, "servers");
  if (!Array.isArray(servers)) return [];
  return (servers as readonly Json[]).flatMap((item) => {
    if (typeof item === "string") return [item];
    const reference = isJsonObject(item) ? textOf(item, "$ref") : undefined;
    return reference === undefined ? [] : [reference.slice(reference.lastIndexOf("/") + 1)];
  });
}

/** The server's protocol; a call that asks for the same one with TLS gets that, since documents do not always say it. */
function protocolOf(server: JsonObject, asked: string | undefined): { readonly family: Family; readonly isSecure: boolean } {
  const protocol = (textOf(server, "protocol") ?? "").toLowerCase();
  if (Object.hasOwn(PROTOCOLS, protocol)) {
    const { family, isSecure } = PROTOCOLS[protocol as keyof typeof PROTOCOLS];
    const isAsked = asked !== undefined && familyOf(asked) === family && PROTOCOLS[asked as keyof typeof PROTOCOLS].isSecure;
    return { family, isSecure: isSecure || isAsked };
  }
  throw misfit(`The protocol "${protocol}" is not spoken here; these are: ${Object.keys(PROTOCOLS).join(", ")}.`);
}

function addressOfServer(
  { name, value }: Named,
  input: AsyncapiInput,
): { readonly host: string; readonly port: number; readonly path: string } {
  const given = input.server?.variables ?? {};
  const variables = ownProperty(value, "variables");
  const fill = (text: string): string =>
    text.replaceAll(/\{([^{}]+)\}/g, (_, variable: string) => {
      const declared = isJsonObject(variables) ? ownProperty(variables, variable) : undefined;
      const found = ownProperty(given, variable) ?? (isJsonObject(declared) ? declared["default"] : undefined);
      if (typeof found === "string" || typeof found === "number") return String(found);
      throw misfit(`The server "${name}" has a variable {${variable}} without a value: give it under server.variables.`);
    });
  // Version 2 has one URL, with or without its scheme; version 3 has its parts.
  const url = textOf(value, "url");
  const text = fill(url ?? `${textOf(value, "host") ?? ""}${textOf(value, "pathname") ?? ""}`).replace(/^[a-z][a-z0-9+.-]*:\/\//i, "");
  if (!URL.canParse(`tcp://${text}`)) throw misfit(`The server "${name}" has no usable address: "${text}".`);
  const parsed = new URL(`tcp://${text}`);
  if (parsed.hostname === "") throw misfit(`The server "${name}" has no host.`);
  return { host: parsed.hostname, port: Number(parsed.port), path: parsed.pathname.replace(/\/+$/, "") };
}

function bindingOf(document: AsyncapiDocument, owner: JsonObject, family: Family): JsonObject {
  const bindings = objectOf(document, owner, "bindings");
  return objectOf(document, bindings, family);
}

function parametersOf(document: AsyncapiDocument, channel: JsonObject): ReadonlyMap<string, JsonObject> {
  return new Map(
    Object.entries(objectOf(document, channel, "parameters")).map(([name, item]) => [name, dereference(document, item)?.value ?? {}]),
  );
}

/**
 * Puts values into `user/{userId}/signedup`: from the place in the message that the parameter names, else from the task's input as in URI
 * templates, else the parameter's default.
 */
function fillAddress(
  template: string,
  parameters: ReadonlyMap<string, JsonObject>,
  from: { readonly input: AsyncapiInput; readonly taskInput: Json },
): string {
  return template.replaceAll(/\{([^{}]+)\}/g, (_, name: string) => {
    const parameter = parameters.get(name) ?? {};
    const schema = ownProperty(parameter, "schema");
    const found =
      atLocation(textOf(parameter, "location"), from.input) ??
      (isJsonObject(from.taskInput) ? ownProperty(from.taskInput, name) : undefined) ??
      ownProperty(parameter, "default") ??
      (isJsonObject(schema) ? ownProperty(schema, "default") : undefined);
    if (typeof found === "string" || typeof found === "number" || typeof found === "boolean") return String(found);
    throw misfit(
      `The channel "${template}" has a parameter {${name}} without a value: the task's input has no text, number or boolean "${name}".`,
    );
  });
}

/** `$message.payload#/user/id`: a runtime expression of AsyncAPI, known once there is a message to publish. */
function atLocation(location: string | undefined, { message }: AsyncapiInput): Json | undefined {
  const match = /^\$message\.(payload|header)#\/(.+)$/.exec(location ?? "");
  if (match === null || message === undefined) return undefined;
  let current: Json | undefined = match[1] === "payload" ? message.payload : message.headers;
  for (const part of (match[2] ?? "").split("/"))
    current = isJsonObject(current ?? null) ? ownProperty(current as JsonObject, part) : undefined;
  return current;
}

function contentTypeOf(document: AsyncapiDocument, channel: JsonObject, operation: JsonObject): string {
  const direct = dereference(document, ownProperty(operation, "message"))?.value;
  const listed3 = ownProperty(operation, "messages");
  const first = Array.isArray(listed3) ? dereference(document, listed3[0] as Json | undefined)?.value : undefined;
  const ofChannel = Object.values(objectOf(document, channel, "messages"))[0];
  const message = direct ?? first ?? dereference(document, ofChannel)?.value ?? {};
  return textOf(message, "contentType") ?? textOf(document.root, "defaultContentType") ?? "application/json";
}

/** A binding's text, number or boolean as the kind that the protocol wants. */
export function bindingText(binding: JsonObject, key: string): string | undefined {
  const value = ownProperty(binding, key);
  return typeof value === "string" || typeof value === "number" ? scalarText(value) : undefined;
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.join(", ");
}
