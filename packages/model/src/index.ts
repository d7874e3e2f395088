export { AppError, assert, assertNever } from "./app-error.ts";
export type { CloudEvent } from "./cloud-event.ts";
export { DURATION_MS_MAX, durationMs, ISO_DURATION, parseDuration } from "./duration.ts";
export { EFFECT_CLASSES, type EffectClass } from "./effect.ts";
export { ERROR_CATALOGUE, type ErrorCode, type ErrorSpecies } from "./error-catalogue.ts";
export { DEFAULT_TENANT } from "./ids.ts";
export type { RunId, Token } from "./schemas.ts";
export { emptyObjectFor, isJsonObject, type Json, jsonEqual, type JsonObject, ownProperty } from "./json.ts";
export {
  ATTEMPTS_MAX,
  DEPTH_MAX,
  DOCUMENT_BYTES_MAX,
  EVENT_RETENTION_MS,
  FAN_OUT_MAX,
  PAYLOAD_BYTES_MAX,
  PAYLOAD_INLINE_BYTES,
  VALUE_DEPTH_MAX,
} from "./limits.ts";
export {
  ERROR_STATUS,
  ERROR_TYPE_BASE,
  type ErrorKind,
  errorKindOf,
  sameErrorType,
  type TaskError,
  taskError,
  TUTTI_ERROR_TYPE_BASE,
} from "./task-error.ts";
export { isPartlyKnown, partlyUnknown, UNKNOWN_MEMBER, unknownIn, unknownOf, unknownValue } from "./unknown.ts";
