import { describe, expect, test } from "vitest";
import { programFile, runProgram } from "./run-program.ts";

const LONG_MS = 60_000;
const plain = (): { input: string; environment: Record<string, string>; timeoutMs: number; signal: AbortSignal } => ({
  input: "",
  environment: { PATH: "/usr/bin:/bin" },
  timeoutMs: LONG_MS,
  signal: new AbortController().signal,
});

describe("a program", () => {
  test("reads its input twice by its path and files without a name, and gets nothing of this process's environment", async () => {
    const script = `cat /dev/stdin; cat /dev/stdin; cat ${programFile(0)} ${programFile(1)}; env | grep -c ^HOME=; exit 3`;
    const end = await runProgram(["bash", "-c", script], { ...plain(), input: "in ", files: ["first ", Buffer.from("second ")] });
    expect(end).toEqual({ kind: "ended", code: 3, stdout: "in in first second 0\n", stderr: "" });
  });

  test("that is not there was not started; the limit and an abort end it with what it has started", async () => {
    expect(await runProgram(["/nowhere/program"], plain())).toEqual({ kind: "not-started", code: "ENOENT" });
    expect(await runProgram(["bash", "-c", "sleep 1000 & wait"], { ...plain(), timeoutMs: 50 })).toEqual({ kind: "killed" });
    expect(await runProgram(["bash", "-c", "sleep 1000 & wait"], { ...plain(), signal: AbortSignal.timeout(50) })).toEqual({
      kind: "killed",
    });
    expect(await runProgram(["yes"], plain())).toMatchObject({ kind: "too-much" });
  });
});
