import { type DescMethod, fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import type { HttpClient } from "@tutti/connector-http";
import { type Attempt, ConnectorError } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import type { GrpcLimits } from "./grpc-connector.ts";
import { exchange, type GrpcAnswer } from "./grpc-exchange.ts";
import type { GrpcInput } from "./grpc-input.ts";
import { meaningOf } from "./grpc-status.ts";
import { openSession, type Peer, placeOf } from "./h2-session.ts";
import { type ProtoDocument, protoDocuments } from "./proto-document.ts";
import { statusDetails } from "./status-details.ts";

interface GrpcDeps {
  readonly http: HttpClient;
  readonly limits: GrpcLimits;
}

const TLS_PORT = 443;
const CLEARTEXT_PORT = 80;

/** Makes calls, and keeps the documents that they need for a while. */
export function grpcCaller(deps: GrpcDeps): (input: GrpcInput, attempt: Attempt) => Promise<Json> {
  const documents = protoDocuments(deps.http);
  return async (input, attempt) => {
    const document = await documents.load(input.proto.endpoint, attempt);
    return callMethod(methodOf(document, input), document, { input, attempt, ...deps });
  };
}

/** @throws ConnectorError never-began when the document has no such method, or one that takes a stream. */
function methodOf({ registry, url }: ProtoDocument, { service: { name }, method: wanted }: GrpcInput): DescMethod {
  const service = registry.getService(name);
  if (service === undefined) {
    const known = [...registry].flatMap((type) => (type.kind === "service" ? [type.typeName] : []));
    throw misfit(`The proto document ${fileOf(url)} has no service "${name}"; it has: ${known.join(", ") || "none"}.`);
  }
  const method = service.methods.find((candidate) => candidate.name === wanted);
  if (method === undefined)
    throw misfit(
      `The service ${name} has no method "${wanted}"; it has: ${service.methods.map((known) => known.name).join(", ") || "none"}.`,
    );
  if (method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming")
    throw misfit(`The method ${name}/${wanted} takes a stream of messages: only methods that take one message are called.`);
  return method;
}

async function callMethod(
  method: DescMethod,
  { registry }: ProtoDocument,
  { input, attempt, http, limits }: GrpcDeps & { readonly input: GrpcInput; readonly attempt: Attempt },
): Promise<Json> {
  const { service, arguments: given } = input;
  const isSecure = !http.network.speaksCleartext(service.host);
  const peer: Peer = { host: service.host, port: service.port ?? (isSecure ? TLS_PORT : CLEARTEXT_PORT), isSecure };
  const message = encoded(method, given, registry);
  const metadata: Record<string, string> = { "idempotency-key": attempt.token };
  if (attempt.traceparent !== undefined) metadata["traceparent"] = attempt.traceparent;
  if (service.authentication !== undefined) {
    const origin = `${isSecure ? "https" : "http"}://${placeOf(peer)}`;
    metadata["authorization"] = await http.authenticator.bearerHeader(service.authentication, origin, attempt);
  }
  // The server gives up when nobody can be waiting any more; a stream goes on as long as it says something.
  if (method.methodKind === "unary") metadata["grpc-timeout"] = `${limits.silenceMs}m`;
  const path = `/${method.parent.typeName}/${method.name}`;
  const target = `${path.slice(1)} at ${placeOf(peer)}`;
  const { signal } = attempt;
  const session = await openSession(peer, http.network, { connectMs: limits.connectMs, signal });
  try {
    const answer = await exchange(session, { path, message, metadata, target }, { silenceMs: limits.silenceMs, signal });
    attempt.log("info", `${target} → ${answer.code === 0 ? "OK" : meaningOf(answer.code).name}`);
    if (answer.code !== 0) throw await statusError(answer, { target, registry });
    const messages = answer.messages.map((bytes) => decoded(method, bytes, { registry, target }));
    if (method.methodKind === "server_streaming") return messages;
    const [only] = messages;
    if (only !== undefined && messages.length === 1) return only;
    throw new ConnectorError(`${target} answered OK with ${messages.length} messages instead of one.`, {
      kind: "communication",
      outcome: "answered",
    });
  } finally {
    session.destroy();
  }
}

function encoded(method: DescMethod, given: JsonObject, registry: ProtoDocument["registry"]): Uint8Array {
  try {
    // Values of a run are JSON, as the other side's are; the two types differ in what may be left out.
    return toBinary(method.input, fromJson(method.input, given as JsonValue, { registry }));
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");
    throw new ConnectorError(`The arguments are no ${method.input.typeName}: ${reason}.`, {
      kind: "validation",
      outcome: "never-began",
      cause: error,
    });
  }
}

function decoded(
  method: DescMethod,
  bytes: Uint8Array,
  { registry, target }: { readonly registry: ProtoDocument["registry"]; readonly target: string },
): Json {
  try {
    return toJson(method.output, fromBinary(method.output, bytes), { registry, alwaysEmitImplicit: true });
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");
    throw new ConnectorError(`${target} answered with something that is no ${method.output.typeName}: ${reason}.`, {
      kind: "configuration",
      outcome: "answered",
      cause: error,
    });
  }
}

async function statusError(
  answer: GrpcAnswer,
  { target, registry }: { readonly target: string; readonly registry: ProtoDocument["registry"] },
): Promise<ConnectorError> {
  const { name, kind, httpStatus, isRetryable, isAnswer } = meaningOf(answer.code);
  const details = answer.details === undefined ? [] : await statusDetails(answer.details, registry);
  const text = answer.message === "" ? "" : `: ${answer.message.replace(/\.$/, "")}`;
  return new ConnectorError(`${target} answered ${name}${text}.`, {
    kind,
    outcome: isAnswer ? "answered" : "unknown",
    status: httpStatus,
    retryable: isRetryable,
    detail: { code: name, message: answer.message, ...(details.length === 0 ? {} : { details }) },
  });
}

function fileOf(url: URL): string {
  return url.pathname.slice(url.pathname.lastIndexOf("/") + 1);
}

/** The call does not fit the document: nothing was sent, and nothing changes by trying again. */
function misfit(message: string): ConnectorError {
  return new ConnectorError(message, { kind: "configuration", outcome: "never-began" });
}
