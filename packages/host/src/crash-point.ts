import type { Json } from "@tutti/model";
import type { CrashPointName } from "@tutti/runtime";
import { crashOnce } from "./crash-once.ts";

export type CrashPoint = (name: CrashPointName, detail: Readonly<Record<string, Json>>) => void;

/**
 * What tests ask for by environment, so that a real process dies at an exact place:
 *
 * - `TUTTI_CRASH_AT_SEQ=N`: as soon as record N or a later one of any run is committed;
 * - `TUTTI_CRASH_POINT=NAME[:HITS]`: at the named point, when it is reached for the HITS-th time (1);
 * - `TUTTI_CRASH_ONCE=FILE`: once at each position of the journals that is not in the file yet (`crashOnce`).
 *
 * Without any it does nothing: production has no crash points.
 */
export function crashPointFrom(environment: Readonly<Record<string, string | undefined>>, die: () => void = dieAtOnce): CrashPoint {
  const positions = environment["TUTTI_CRASH_ONCE"];
  if (positions) return crashOnce(positions, die);
  const atSeq = Number(environment["TUTTI_CRASH_AT_SEQ"] ?? Number.NaN);
  const [pointName, hitsText] = (environment["TUTTI_CRASH_POINT"] ?? "").split(":");
  let hitsLeft = Number(hitsText ?? 1);
  if (Number.isNaN(atSeq) && !pointName) return () => {};
  return (name, detail) => {
    if (name === "commit.after" && typeof detail["seq"] === "number" && detail["seq"] >= atSeq) die();
    if (name === pointName && --hitsLeft === 0) die();
  };
}

/** SIGKILL, not exit: no handler runs, nothing is flushed, as when the power goes. */
function dieAtOnce(): void {
  process.kill(process.pid, "SIGKILL");
}
