import { createRegistry, type DescMessage, type FileRegistry, fromBinary, type Registry, toJson } from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import type { Json } from "@tutti/model";
import { collectProto } from "./proto/collect-proto.ts";
import { linkProto } from "./proto/link-proto.ts";

/** What servers say to a status, and the usual things that they say. Source: googleapis, google/rpc/status.proto and error_details.proto. */
const ERROR_DETAILS = `
syntax = "proto3";
package google.rpc; import "google/protobuf/any.proto"; import "google/protobuf/duration.proto";
message Status { int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3; }
message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
message RetryInfo { google.protobuf.Duration retry_delay = 1; }
message DebugInfo { repeated string stack_entries = 1; string detail = 2; }
message QuotaFailure { message Violation { string subject = 1; string description = 2; } repeated Violation violations = 1; }
message PreconditionFailure {
  message Violation { string type = 1; string subject = 2; string description = 3; }
  repeated Violation violations = 1;
}
message BadRequest { message FieldViolation { string field = 1; string description = 2; } repeated FieldViolation field_violations = 1; }
message RequestInfo { string request_id = 1; string serving_data = 2; }
message ResourceInfo { string resource_type = 1; string resource_name = 2; string owner = 3; string description = 4; }
message Help { message Link { string description = 1; string url = 2; } repeated Link links = 1; }
message LocalizedMessage { string locale = 1; string message = 2; }
`;
/** Of a list that a server may make as long as it likes. */
const DETAILS_MAX = 32;

let known: Promise<FileRegistry> | undefined;

/**
 * The details of a status as JSON, each with its `@type`; of types that neither the document nor the usual ones have, only that. Details that can't
 * be read are left out: the status has said what matters.
 */
export async function statusDetails(bytes: Uint8Array, document: Registry): Promise<readonly Json[]> {
  known ??= collectProto("error_details.proto", ERROR_DETAILS, async () => undefined).then(linkProto);
  const usual = await known;
  const registry = createRegistry(usual, document);
  const details: Json[] = [];
  try {
    // The text above declares it.
    const schema = usual.getMessage("google.rpc.Status") as DescMessage;
    const status = reflect(schema, fromBinary(schema, bytes));
    const field = schema.field["details"];
    if (field?.fieldKind !== "list") return [];
    for (const item of [...status.get(field)].slice(0, DETAILS_MAX))
      // A list of messages, as the text above declares it: of `Any`.
      details.push(detailOf((item as ReflectMessage).message as Any, registry));
  } catch {
    return details;
  }
  return details;
}

function detailOf(detail: Any, registry: Registry): Json {
  try {
    return toJson(AnySchema, detail, { registry });
  } catch {
    return { "@type": detail.typeUrl };
  }
}
