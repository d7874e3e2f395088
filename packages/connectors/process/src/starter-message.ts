import type { ProcessExit, StartRequest } from "./start-here.ts";

/** What Tutti and its starter say to each other, over the channel that Node makes. */

/** To the starter. */
export interface StartOrder extends StartRequest {
  readonly id: number;
}

/** From the starter: each order is answered by `started` or `failed`, each start by `ended`. */
export type StarterNews =
  | { readonly id: number; readonly kind: "started"; readonly pid: number }
  | { readonly id: number; readonly kind: "failed"; readonly message: string; readonly code: string | undefined }
  | { readonly id: number; readonly kind: "ended"; readonly exit: ProcessExit };
