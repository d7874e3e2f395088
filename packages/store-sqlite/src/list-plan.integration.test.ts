import { join } from "node:path";
import type { StatementSync } from "node:sqlite";
import type { RunQuery } from "@tutti/store";
import { expect, test } from "vitest";
import { Connection } from "./connection.ts";
import { findRunIds, listDue, listRunnable, listRuns, nextWakeAt, planList } from "./list-runs.ts";
import { migrate } from "./migrations.ts";
import { createPrivateDirectory } from "./private-files.ts";
import { findSubscribers } from "./subscribers.ts";
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

const COVERED: readonly (readonly [Omit<RunQuery, "tenant" | "limit">, string])[] = [
  [{ status: ["faulted"], namespace: "ops" }, "run_by_status"],
  [{ name: "deploy", namespace: "ops" }, "run_by_name"],
  [{ name: "deploy", namespace: "ops", status: ["faulted"] }, "run_by_name"],
  [{ errorType: "e", status: ["faulted"], name: "deploy", namespace: "ops" }, "run_by_error"],
];

for (const [filter, index] of COVERED) {
  test(`a list by ${JSON.stringify(filter)} passes over runs in ${index} without reading their rows`, async () => {
    const plans = await plansOf((connection) => listRuns(connection, { tenant: "t", limit: 10, ...filter }));
    expect(plans[0]).toMatch(new RegExp(`^SEARCH run USING COVERING INDEX ${index} `));
    expect(plans.filter((plan) => plan.includes("TEMP B-TREE") || plan.startsWith("SCAN"))).toEqual([]);
  });
}

test("a list by label walks the labels in order", async () => {
  const plans = await plansOf((connection) => listRuns(connection, { tenant: "t", limit: 10, label: { key: "a", value: "b" } }));
  expect(plans[0]).toMatch(/^SEARCH run_label USING PRIMARY KEY/);
  expect(plans.filter((plan) => plan.includes("TEMP B-TREE") || plan.startsWith("SCAN"))).toEqual([]);
});

test("a list walks far only when each of several filters selects many runs", async () => {
  await withDirectory(async (directory) => {
    createPrivateDirectory(directory);
    const connection = new Connection(join(directory, "tutti.db"));
    migrate(connection);
    // Never read whole, so their checksums don't matter. Every thousandth is faulted.
    connection.database.exec(`
      with recursive number (n) as (select 1 union all select n + 1 from number where n < 25000)
      insert into run (run_id, tenant, namespace, name, started_at, start_position, version, digest, labels, status, updated_at, is_outstanding, in_doubt, crc)
      select 'run_' || n, 't', 'ns', 'wf', n, 0, '1', 'd', '{}', iif(n % 1000 = 0, 'faulted', 'completed'), n, 0, 0, 0 from number`);
    const planOf = (filter: Partial<RunQuery>) => planList(connection, { tenant: "t", limit: 10, ...filter });
    expect(planOf({ name: "wf", namespace: "ns" }).mayWalkFar).toBe(true);
    expect(planOf({ status: ["completed"], namespace: "ns" }).mayWalkFar).toBe(true);
    expect(planOf({ name: "wf" }).mayWalkFar).toBe(false);
    expect(planOf({ status: ["faulted"], namespace: "ns" })).toMatchObject({
      driver: { from: "run indexed by run_by_status" },
      mayWalkFar: false,
    });
    expect(planOf({ status: ["faulted"], name: "wf", namespace: "ns" })).toMatchObject({
      driver: { from: "run indexed by run_by_name" },
      mayWalkFar: false,
    });
    expect(planOf({ name: "wf", namespace: "ns", startedAfterMs: 10, startedBeforeMs: 20 }).mayWalkFar).toBe(false);
    expect(planOf({ name: "wf", namespace: "elsewhere" }).driver.from).toBe("run indexed by run_by_namespace");
    connection.close();
  });
});

test("look-ups by prefix, of runnable runs and of wake times use their indexes", async () => {
  expect((await plansOf((connection) => findRunIds(connection, "run_", 5)))[0]).toMatch(/^SEARCH run USING COVERING INDEX/);
  expect((await plansOf((connection) => listRunnable(connection, "run_", 5)))[0]).toMatch(/USING (COVERING )?INDEX run_to_load/);
  expect((await plansOf((connection) => listDue(connection, 5, 5)))[0]).toMatch(/USING INDEX run_by_wake/);
  expect((await plansOf((connection) => nextWakeAt(connection)))[0]).toMatch(/USING COVERING INDEX run_by_wake/);
});

test("the subscribers of an event are found through their index, in order, however many others wait", async () => {
  const plans = await plansOf((connection) => {
    const subscribe = connection.database.prepare(
      `insert into subscription (run_key, task, filter, tenant, event_type, after_position, key_name, key_value)
       values (1, 1, ?, 't', 'alarm', 0, ?, 'a')`,
    );
    for (const [filter, name] of [null, "order", "subject"].entries()) subscribe.run(filter, name);
    findSubscribers(connection, { tenant: "t", type: "alarm", position: 1, keyValue: () => "a", limit: 10 });
  });
  const group = "tenant=? AND event_type=? AND key_name=? AND key_value=? AND (run_key,task,filter)>(?,?,?)";
  expect(plans.filter((plan) => plan.includes("subscription_by_key"))).toEqual(
    expect.arrayContaining([expect.stringContaining(`(${group})`), expect.stringContaining("(tenant=? AND event_type=? AND key_name>?)")]),
  );
  expect(plans.filter((plan) => plan.includes("TEMP B-TREE") || plan.startsWith("SCAN"))).toEqual([]);
});
