import { hash } from "node:crypto";

/** Derivations are fixed for ever: what an old run made must be found by a new version. */

/** Length of a token's hexadecimal part: 128 bits, so that two effects never meet by chance. */
const TOKEN_HEX = 32;
const RUN_ID_LENGTH = 16;

/** The token of a task: from run, path with visits and iterations, and group. */
export function deriveToken(runId: string, key: string, group: number): string {
  return `tok_${hash("sha256", `${runId}\n${key}\n${group}`, "hex").slice(0, TOKEN_HEX)}`;
}

/** The token under an author's `idempotencyKey`: the same key means the same effect, also in another run of the tenant. */
export function deriveKeyedToken(tenant: string, idempotencyKey: string, group: number): string {
  return `tok_${hash("sha256", `key\n${tenant}\n${idempotencyKey}\n${group}`, "hex").slice(0, TOKEN_HEX)}`;
}

/** The id of the run that a task starts. */
export function deriveRunId(token: string): string {
  const number = BigInt(`0x${hash("sha256", `run\n${token}`, "hex").slice(0, 24)}`);
  return `run_${number.toString(36).padStart(RUN_ID_LENGTH, "0").slice(-RUN_ID_LENGTH)}`;
}

/** The id of the event that a task emits. */
export function deriveEventId(token: string): string {
  return `evt_${hash("sha256", `event\n${token}`, "hex").slice(0, TOKEN_HEX)}`;
}

/** A number in [0, 1) that depends on the token and a counter only: jitter that replays. */
export function deriveFraction(token: string, counter: number): number {
  return Number.parseInt(hash("sha256", `jitter\n${token}\n${counter}`, "hex").slice(0, 12), 16) / 2 ** 48;
}
