import assert from "node:assert/strict";
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject, type Json } from "@tutti/model";
import { House } from "./house.ts";
import { head, type Row, runIdIn } from "./row.ts";

const HOUR_S = 3600;
const FAKETIME = `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu/faketime/libfaketimeMT.so.1`;
const CLOCK_FILE = "clock";

/** A house whose wall clock is moved by libfaketime; the monotonic clock is left alone, as the kernel leaves it. */
export async function openClockHouse(): Promise<House> {
  assert(existsSync(FAKETIME), `${FAKETIME} is there (package libfaketime)`);
  const house = House.make({
    environment: {
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: CLOCK_FILE,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      DONT_FAKE_MONOTONIC: "1",
    },
  });
  setClock(house, 0);
  await house.start();
  return house;
}

/** By renaming: the process never reads half of it. */
function setClock(house: House, offsetS: number): void {
  const next = house.write(`${CLOCK_FILE}.new`, `${offsetS < 0 ? "-" : "+"}${Math.abs(offsetS)}\n`);
  renameSync(next, join(house.directory, CLOCK_FILE));
}

/** A run waits while the wall clock of the living process jumps; it must go on as the row says, and its times must not go back. */
function jump(row: Pick<Row, "name" | "input" | "goesOn">, wait: string, offsetS: number): Row {
  return {
    ...row,
    code: undefined,
    exit: 0,
    says: [`bad/${row.name}:1.0.0  completed`],
    act: async () => {
      // Its own: two jumps at a time would cancel each other.
      const house = await openClockHouse();
      try {
        house.write(
          "wait.yaml",
          `${head(row.name)}do:\n  - before: { set: { a: 1 } }\n  - rest: { wait: ${wait} }\n  - after: { set: { a: 2 } }\n`,
        );
        const runId = runIdIn(await house.tutti("run", "start", "wait.yaml"));
        await house.call("waitFor", { runId, until: "parked" });
        setClock(house, offsetS);
        await house.call("waitFor", { runId, until: "rest" });
        const times = ((await house.list("records", { runId, fromSeq: 1, limit: 100 })) as readonly Json[]).map(timeOf);
        assert.deepEqual(
          times,
          times.toSorted((left, right) => left - right),
        );
        return { ended: await house.tutti("run", "show", runId) };
      } finally {
        await house.close();
      }
    },
  };
}

function timeOf(stored: Json): number {
  const record = isJsonObject(stored) ? stored["record"] : undefined;
  return isJsonObject(record) ? Number(record["at"]) : Number.NaN;
}

export const CLOCK_ROWS: readonly Row[] = [
  jump(
    {
      name: "clock-back-an-hour",
      input: "the wall clock is set back an hour while runs wait",
      goesOn: "A timer of 2 seconds takes 2 seconds, and the times of a run never go back. Nothing needs to be done.",
    },
    "{ seconds: 2 }",
    -HOUR_S,
  ),
  jump(
    {
      name: "clock-on-an-hour",
      input: "the wall clock is set on an hour while runs wait",
      goesOn: "What is due within this hour fires, within seconds. Nothing needs to be done.",
    },
    "{ minutes: 59 }",
    HOUR_S,
  ),
];
