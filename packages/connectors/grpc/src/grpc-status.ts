import type { ErrorKind } from "@tutti/model";

/** What a status of gRPC means for the workflow. */
export interface StatusMeaning {
  readonly name: string;
  readonly kind: ErrorKind;
  /** The HTTP status that stands for it in google.rpc.Code. */
  readonly httpStatus: number;
  /** Whether the same request may succeed later. */
  readonly isRetryable: boolean;
  /**
   * Whether the server has answered, and nothing of the call is under way any more. Proxies and libraries make up the others themselves when they
   * lose the server: "may be returned even if the operation has completed successfully".
   */
  readonly isAnswer: boolean;
}

const answer = (name: string, kind: ErrorKind, httpStatus: number, isRetryable = false): StatusMeaning => ({
  name,
  kind,
  httpStatus,
  isRetryable,
  isAnswer: true,
});
const unclear = (name: string, kind: ErrorKind, httpStatus: number): StatusMeaning => ({
  name,
  kind,
  httpStatus,
  isRetryable: true,
  isAnswer: false,
});

/** Sources: grpc.github.io/grpc/core/md_doc_statuscodes.html, googleapis google/rpc/code.proto. */
const MEANINGS: Readonly<Record<number, StatusMeaning>> = {
  1: unclear("CANCELLED", "communication", 499),
  2: answer("UNKNOWN", "communication", 500),
  3: answer("INVALID_ARGUMENT", "validation", 400),
  4: unclear("DEADLINE_EXCEEDED", "timeout", 504),
  5: answer("NOT_FOUND", "communication", 404),
  6: answer("ALREADY_EXISTS", "communication", 409),
  7: answer("PERMISSION_DENIED", "authorization", 403),
  8: answer("RESOURCE_EXHAUSTED", "communication", 429, true),
  9: answer("FAILED_PRECONDITION", "communication", 400),
  10: answer("ABORTED", "communication", 409, true),
  11: answer("OUT_OF_RANGE", "validation", 400),
  12: answer("UNIMPLEMENTED", "configuration", 501),
  13: answer("INTERNAL", "communication", 500),
  14: unclear("UNAVAILABLE", "communication", 503),
  15: answer("DATA_LOSS", "communication", 500),
  16: answer("UNAUTHENTICATED", "authentication", 401),
};

/** The meaning of a status other than OK; a number that is none counts as UNKNOWN, as the protocol has it. */
export function meaningOf(code: number): StatusMeaning {
  // 2 is in the table.
  return MEANINGS[code] ?? (MEANINGS[2] as StatusMeaning);
}

/** The status that an answer without one stands for. Source: grpc.github.io/grpc/core/md_doc_http-grpc-status-mapping.html. */
export function codeOfHttpStatus(status: number): number {
  switch (status) {
    case 400:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;
    default:
      return 2;
  }
}
