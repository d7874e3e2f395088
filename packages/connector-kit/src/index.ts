export { attemptForTests, type RecordingAttempt } from "./attempt-for-tests.ts";
export { checkInput, checkOutput, parseInput, readBySchema, type ReadBySchema } from "./check-schema.ts";
export { assertCloneable, findNotCloneable } from "./cloneable.ts";
export { type Attempt, type Connector, ConnectorError, type ConnectorFunction, type FailureOutcome, type StoredEnd } from "./connector.ts";
export { defineConnector } from "./define-connector.ts";
export type { EffectPreview, PreviewedEffect } from "./effect-preview.ts";
export { fileWithin, OutsideDirectoryError } from "./file-within.ts";
export { MASK, mustBeWhole } from "./masked-value.ts";
export {
  type HostAddress,
  Network,
  NetworkRefusedError,
  type NetworkFetch,
  type NetworkOptions,
  type Resolver,
} from "./network/network.ts";
export { NETWORK_MODES, type NetworkMode, type NetworkRules } from "./network/network-policy.ts";
export { OUTPUT_BYTES_MAX, OutputCapture } from "./output-capture.ts";
export { type AttemptProvider, type Health, type ProviderAccess, readProvider, takesProvider } from "./provider.ts";
export type { ResourceType } from "./resource-type.ts";
export { type ResolvedFunction, resolveFunction } from "./resolve-function.ts";
export { type ProgramEnd, programFile, type ProgramOptions, type ProgramResult, runProgram } from "./run-program.ts";
export { renderUndo, type Undo, type UndoneCall } from "./undo.ts";
export { NotEmptyText } from "@tutti/model/schemas";
// The kit's own zod is the one that reads a connector's schemas; a connector takes it from here and can't bring a second version.
export { z } from "zod";
