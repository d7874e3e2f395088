import { join } from "node:path";
import type { StatementSync } from "node:sqlite";
import type { RunQuery } from "@tutti/store";
import { expect, test } from "vitest";
import { Connection } from "./connection.ts";
import { findRunIds, listDue, listRunnable, listRuns, nextWakeAt } from "./list-runs.ts";
import { migrate } from "./migrations.ts";
import { createPrivateDirectory } from "./private-files.ts";
import { withDirectory } from "./testing/directory.ts";

/** Notes the statements that it is asked for. */
class ListeningConnection extends Connection {
  readonly texts = new Set<string>();

  override sql(text: string): StatementSync {
    this.texts.add(text);
    return super.sql(text);
  }
}

/** The plans of all statements that `ask` runs. */
async function plansOf(ask: (connection: Connection) => unknown): Promise<readonly string[]> {
  return withDirectory(async (directory) => {
    createPrivateDirectory(directory);
    const connection = new ListeningConnection(join(directory, "tutti.db"));
    migrate(connection);
    connection.texts.clear();
    ask(connection);
    const planOf = (text: string): string[] =>
      connection.database
        .prepare(`explain query plan ${text}`)
        .all()
        .map((row) => String(row["detail"]));
    const counts = [...connection.texts].filter((text) => text.startsWith("select count(*)"));
    // How selective the filters are is counted in indexes alone.
    for (const text of counts) expect(planOf(text).find((plan) => plan.startsWith("SEARCH"))).toMatch(/COVERING INDEX|PRIMARY KEY/);
    const plans = [...connection.texts].filter((text) => !counts.includes(text)).flatMap(planOf);
    connection.close();
    return plans;
  });
}

const FILTERS: readonly (readonly [Omit<RunQuery, "tenant" | "limit">, string])[] = [
  [{}, "run_by_status"],
  [{ status: ["faulted"] }, "run_by_status"],
  [{ startedAfterMs: 1, startedBeforeMs: 2 }, "run_by_status"],
  [{ name: "deploy" }, "run_by_name"],
  [{ name: "deploy", status: ["faulted"], startedAfterMs: 1 }, "run_by_name"],
  [{ namespace: "ops" }, "run_by_namespace"],
  [{ errorType: "e" }, "run_by_error"],
  [{ inDoubt: true }, "run_by_doubt"],
  [{ parentRunId: "run_1" }, "run_by_parent"],
];

for (const [filter, index] of FILTERS) {
  test(`a list by ${JSON.stringify(filter)} walks ${index} in order and reads no more than its page`, async () => {
    for (const cursor of [undefined, "5.run_1"]) {
      const plans = await plansOf((connection) => listRuns(connection, { tenant: "t", limit: 10, ...filter, cursor }));
      expect(plans[0]).toMatch(new RegExp(`^SEARCH run USING (COVERING )?INDEX ${index} `));
      expect(plans.filter((plan) => plan.includes("TEMP B-TREE") || plan.startsWith("SCAN"))).toEqual([]);
    }
  });
}

test("a list by label walks the labels in order", async () => {
  const plans = await plansOf((connection) =>
    listRuns(connection, { tenant: "t", limit: 10, label: { key: "a", value: "b" }, status: ["faulted"] }),
  );
  expect(plans[0]).toMatch(/^SEARCH run_label USING PRIMARY KEY/);
  expect(plans.filter((plan) => plan.includes("TEMP B-TREE") || plan.startsWith("SCAN"))).toEqual([]);
});

test("look-ups by prefix, of runnable runs and of wake times use their indexes", async () => {
  expect((await plansOf((connection) => findRunIds(connection, "run_", 5)))[0]).toMatch(/^SEARCH run USING COVERING INDEX/);
  expect((await plansOf((connection) => listRunnable(connection, "run_", 5)))[0]).toMatch(/USING (COVERING )?INDEX run_to_load/);
  expect((await plansOf((connection) => listDue(connection, 5, 5)))[0]).toMatch(/USING INDEX run_by_wake/);
  expect((await plansOf((connection) => nextWakeAt(connection)))[0]).toMatch(/USING COVERING INDEX run_by_wake/);
});
