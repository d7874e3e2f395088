import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { HOSTILE_PROGRAMS } from "./hostile-programs.ts";

interface Cost {
  readonly name: string;
  readonly ends: string;
  readonly elapsedMs: number;
  readonly grownMiB: number;
  readonly isPolluted: boolean;
}

// The promise of the language: no expression takes more than this, whatever it is.
const ELAPSED_MAX_MS = 100;
const GROWN_MAX_MIB = 64;

let costs: ReadonlyMap<string, Cost>;

beforeAll(async () => {
  const child = fileURLToPath(new URL("./hostile-child.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", "--disable-proto=delete", child]);
  const lines = stdout.trim().split("\n");
  costs = new Map(lines.map((line) => JSON.parse(line) as Cost).map((cost) => [cost.name, cost]));
});

describe("hostile programs in a process of their own", () => {
  test.each(HOSTILE_PROGRAMS.map(({ name, ends }) => ({ name, ends })))(
    "$name ends in time, in bounds and without escape",
    ({ name, ends }) => {
      const cost = costs.get(name);
      if (cost === undefined) throw new Error(`${name} was not run`);
      expect(ends === "any" ? ["limit", "error", "syntax", "result"] : [ends]).toContain(cost.ends);
      expect(cost.elapsedMs).toBeLessThan(ELAPSED_MAX_MS);
      expect(cost.grownMiB).toBeLessThan(GROWN_MAX_MIB);
      expect(cost.isPolluted).toBe(false);
    },
  );
});
