import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { contextOf, type History, outcomeOf } from "./history.ts";

/** From the first version on, and twenty-five more with each later one. */
const HISTORIES_MIN = 25;
const FILES = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".json"))
  .toSorted();

function read(file: string): History {
  // Our own format, written by `record.ts`.
  return JSON.parse(readFileSync(join(import.meta.dirname, file), "utf8")) as History;
}

describe("recorded histories", () => {
  test("are many, and of every kind of record", () => {
    expect(FILES.length).toBeGreaterThanOrEqual(HISTORIES_MIN);
    const kinds = new Set(FILES.flatMap((file) => read(file).records.map((record) => record.type)));
    expect([...kinds].toSorted()).toEqual(
      ["attempt-ended", "attempt-intended", "child-ended", "event-received", "look-up-ended", "operator", "run-started", "slot-decided", "timer-fired"],
    );
  });

  test.each(FILES)("%s replays to the same intents, statuses and end", (file) => {
    const history = read(file);
    const { expected, records } = history;
    expect(outcomeOf(records, contextOf(history))).toEqual(expected);
  });

  test("control: a history whose intent has another token is refused", () => {
    const [file] = FILES.filter((one) => read(one).records.some((record) => record.type === "attempt-intended"));
    const history = read(file ?? "");
    const records = history.records.map((record) => (record.type === "attempt-intended" ? { ...record, token: "another" } : record));
    expect(() => outcomeOf(records, contextOf(history))).toThrow(expect.objectContaining({ code: "history-mismatch" }));
  });

  test("control: a history whose answer was another does not come to the recorded end", () => {
    const file = FILES.find((one) => one.endsWith("do-nested-with-a-jump-back-and-an-exit.json"));
    const history = read(file ?? "");
    const records = history.records.map((record) =>
      record.type === "attempt-ended" && record.outcome.kind === "completed" ? { ...record, outcome: { ...record.outcome, output: { value: 3 } } } : record,
    );
    let found: unknown;
    try {
      found = outcomeOf(records, contextOf(history));
    } catch (error) {
      found = error;
    }
    expect(found).not.toEqual(history.expected);
  });
});
