import { expect, test } from "vitest";
import { AttemptLog, LINE_HELD_MS } from "./attempt-log.ts";
import { Redactor } from "./redactor.ts";

const SECRET = "first line of it\nsecond line of it";

function logging(): { readonly log: AttemptLog; readonly lines: string[]; readonly pass: () => void; readonly timers: () => number } {
  const redactor = new Redactor();
  redactor.register(SECRET);
  const lines: string[] = [];
  let due: (() => void)[] = [];
  const log = new AttemptLog(
    redactor,
    (_stream, text) => lines.push(text),
    (delayMs, callback) => {
      expect(delayMs).toBe(LINE_HELD_MS);
      due.push(callback);
      return {
        clear: () => {
          due = due.filter((one) => one !== callback);
        },
      };
    },
  );
  const pass = (): void => {
    for (const callback of due.splice(0)) callback();
  };
  return { log, lines, pass, timers: () => due.length };
}

test("a last line that ends as a secret begins is shown after a while, not only with the next one", () => {
  const { log, lines, pass, timers } = logging();
  log.write("stdout", "ready");
  log.write("stdout", "waits for f");
  expect(lines).toEqual(["ready"]);
  // Something was written since the timer was set: once more the same time.
  pass();
  expect(lines).toEqual(["ready"]);
  pass();
  expect(lines).toEqual(["ready", "waits for f"]);
  expect(timers()).toBe(0);
});

test("what may be a longer part of a secret waits for the rest, however long that takes", () => {
  const { log, lines, pass, timers } = logging();
  log.write("stdout", "first line of it");
  pass();
  pass();
  expect({ lines, timers: timers() }).toEqual({ lines: [], timers: 0 });
  log.write("stdout", "second line of it");
  log.write("stdout", "over");
  log.end();
  expect(lines.join("|")).not.toContain("line of it");
  expect(lines.at(-1)).toBe("over");
  expect(timers()).toBe(0);
});
