import { expect } from "vitest";
import { RUN_STATUSES, type RunQuery, type RunRowChange, type Store } from "../store.ts";
import { commitOf, commitOne, idOf, rowOf, type StoreTest, T0, TENANT } from "./fixtures.ts";

type Filters = Omit<RunQuery, "tenant" | "limit" | "cursor">;

/** What lists and look-ups promise: every filter, any two together, stable pages. */
export function describeLists(test: StoreTest): void {
  test("runs are listed newest first, by every filter and every pair of filters", async ({ store }) => {
    const rows = await fill(store);
    const filters: readonly Filters[] = [
      {},
      { status: ["faulted"] },
      { status: ["running", "waiting"] },
      { namespace: "net" },
      { name: "deploy" },
      { startedAfterMs: T0 + 10 },
      { startedBeforeMs: T0 + 20 },
      { label: { key: "team", value: "a" } },
      { errorType: "e1" },
      { inDoubt: true },
      { inDoubt: false },
      { parentRunId: idOf(1) },
    ];
    for (const one of filters) {
      for (const other of filters) {
        const query = { ...one, ...other };
        const expected = rows.filter((row) => isWanted(row.change, query)).map((row) => row.runId);
        const page = await store.listRuns({ tenant: TENANT, limit: 100, ...query });
        expect({ query, runs: page.runs.map((run) => run.runId), next: page.next }).toEqual({ query, runs: expected, next: undefined });
      }
    }
  });

  test("runs are counted by status, and their doubts", async ({ store }) => {
    const rows = await fill(store);
    const mine = rows.filter(({ change }) => change.tenant === TENANT);
    const count = (status: string): number => mine.filter(({ change }) => change.status === status).length;
    const { byStatus, inDoubt } = await store.countRuns(TENANT);
    expect(byStatus).toEqual(Object.fromEntries(RUN_STATUSES.map((status) => [status, count(status)])));
    expect(inDoubt).toBe(mine.reduce((sum, { change }) => sum + change.inDoubt, 0));
    expect((await store.countRuns("nobody")).byStatus).toMatchObject({ running: 0 });
  });

  test("pages continue exactly after the previous one, while rows are added", async ({ store }) => {
    const rows = await fill(store);
    for (const filter of [{}, { status: ["running", "faulted"] }, { label: { key: "team", value: "a" } }] satisfies Filters[]) {
      const seen: string[] = [];
      let cursor: string | undefined;
      let added = 0;
      do {
        const page = await store.listRuns({ tenant: TENANT, limit: 2, ...filter, ...(cursor === undefined ? {} : { cursor }) });
        expect(page.runs.length).toBeLessThanOrEqual(2);
        seen.push(...page.runs.map((run) => run.runId));
        cursor = page.next;
        added += 1;
        await commitOne(
          store,
          commitOf(1000 + rows.length + added * 7 + seen.length, 0, { row: rowOf({ tenant: "later", startedAtMs: T0 + 1e6 }) }),
        );
        await commitOne(
          store,
          commitOf(50_000 + added * 100 + Object.keys(filter).length * 10_000, 0, {
            row: rowOf({ startedAtMs: T0 + 1e6 + added, labels: { team: "a" } }),
          }),
        );
      } while (cursor !== undefined);
      const expected = rows.filter((row) => isWanted(row.change, filter)).map((row) => row.runId);
      expect(seen.filter((id) => expected.includes(id))).toEqual(expected);
      expect(new Set(seen).size).toBe(seen.length);
    }
    await expect(store.listRuns({ tenant: TENANT, limit: 2, cursor: "nonsense" })).rejects.toMatchObject({ code: "usage" });
  });

  test("another tenant's runs are never listed", async ({ store }) => {
    await commitOne(store, commitOf(1, 0, { row: rowOf({ tenant: "other", labels: { a: "b" } }) }));
    expect(await store.listRuns({ tenant: TENANT, limit: 10 })).toEqual({ runs: [], next: undefined });
    expect(await store.listRuns({ tenant: TENANT, limit: 10, label: { key: "a", value: "b" } })).toEqual({ runs: [], next: undefined });
    expect((await store.listRuns({ tenant: "other", limit: 10 })).runs).toHaveLength(1);
  });

  test("a list follows changes of status and labels", async ({ store }) => {
    await commitOne(store, commitOf(1, 0, { row: rowOf({ labels: { a: "1", b: "1" } }) }));
    await commitOne(store, commitOf(1, 1, { row: rowOf({ status: "completed", labels: { a: "2" } }) }));
    const list = async (filter: Filters): Promise<number> => (await store.listRuns({ tenant: TENANT, limit: 10, ...filter })).runs.length;
    expect(await list({ status: ["running"] })).toBe(0);
    expect(await list({ status: ["completed"] })).toBe(1);
    expect(await list({ label: { key: "a", value: "1" } })).toBe(0);
    expect(await list({ label: { key: "b", value: "1" } })).toBe(0);
    expect(await list({ label: { key: "a", value: "2" } })).toBe(1);
  });

  test("runs are found by the beginning of their id", async ({ store }) => {
    await store.commit({ runs: [commitOf(36, 0), commitOf(37, 0), commitOf(1, 0)] });
    expect(await store.findRunIds("run_", 2)).toEqual([idOf(1), idOf(36)]);
    expect(await store.findRunIds(idOf(37), 5)).toEqual([idOf(37)]);
    expect(await store.findRunIds("run_00000000000000", 5)).toEqual([idOf(1), idOf(36), idOf(37)]);
    expect(await store.findRunIds("run_000000000000001", 5)).toEqual([idOf(36), idOf(37)]);
    expect(await store.findRunIds("run_%", 5)).toEqual([]);
    expect(await store.findRunIds("x", 5)).toEqual([]);
  });

  test("runs that a restarted owner must load: running or outstanding, paged by id", async ({ store, reopen }) => {
    await store.commit({
      runs: [
        commitOf(1, 0),
        commitOf(2, 0, { row: rowOf({ status: "waiting" }) }),
        commitOf(3, 0, { row: rowOf({ status: "waiting", isOutstanding: true }) }),
        commitOf(4, 0, { row: rowOf({ status: "completed" }) }),
        commitOf(5, 0),
      ],
    });
    const next = await reopen();
    expect(await next.listRunnable(undefined, 2)).toEqual([idOf(1), idOf(3)]);
    expect(await next.listRunnable(idOf(3), 2)).toEqual([idOf(5)]);
    expect(await next.listRunnable(idOf(5), 2)).toEqual([]);
  });

  test("wake times: due ones earliest first, the next one, gone when the row says so", async ({ store }) => {
    expect(await store.nextWakeAt()).toBeUndefined();
    await store.commit({
      runs: [7, 3, 5].map((offset, index) => commitOf(index + 1, 0, { row: rowOf({ status: "waiting", wakeAtMs: T0 + offset }) })),
    });
    expect(await store.nextWakeAt()).toBe(T0 + 3);
    expect(await store.listDue(T0 + 2, 10)).toEqual([]);
    expect(await store.listDue(T0 + 5, 10)).toEqual([
      { runId: idOf(2), wakeAtMs: T0 + 3 },
      { runId: idOf(3), wakeAtMs: T0 + 5 },
    ]);
    expect(await store.listDue(T0 + 9, 1)).toEqual([{ runId: idOf(2), wakeAtMs: T0 + 3 }]);
    await commitOne(store, commitOf(2, 1, { row: rowOf({ status: "running" }) }));
    expect(await store.nextWakeAt()).toBe(T0 + 5);
  });
}

/** Runs of all sorts; several share a start time. Newest first, as lists give them. */
async function fill(store: Store): Promise<readonly { readonly runId: string; readonly change: RunRowChange }[]> {
  const rows = Array.from({ length: 28 }, (_, index) => ({
    runId: idOf(index + 1),
    change: rowOf({
      status: RUN_STATUSES[index % RUN_STATUSES.length] ?? "running",
      namespace: index % 3 === 0 ? "net" : "ops",
      name: index % 2 === 0 ? "deploy" : "patch",
      startedAtMs: T0 + Math.floor(index / 3) * 5,
      labels: index % 4 === 0 ? { team: "a", tier: "1" } : index % 4 === 1 ? { team: "b" } : {},
      errorType: index % RUN_STATUSES.length === 3 ? `e${index % 2}` : undefined,
      inDoubt: index % 5 === 0 ? 1 : 0,
      parentRunId: index % 6 === 5 ? idOf(1) : undefined,
    }),
  }));
  await store.commit({ runs: rows.map((row, index) => commitOf(index + 1, 0, { row: row.change })) });
  return rows.toSorted((a, b) => b.change.startedAtMs - a.change.startedAtMs || (a.runId < b.runId ? 1 : -1));
}

function isWanted(row: RunRowChange, query: Filters): boolean {
  return [
    query.status?.includes(row.status) ?? true,
    query.namespace === undefined || row.namespace === query.namespace,
    query.name === undefined || row.name === query.name,
    query.startedAfterMs === undefined || row.startedAtMs > query.startedAfterMs,
    query.startedBeforeMs === undefined || row.startedAtMs < query.startedBeforeMs,
    query.label === undefined || row.labels[query.label.key] === query.label.value,
    query.errorType === undefined || row.errorType === query.errorType,
    query.inDoubt === undefined || row.inDoubt > 0 === query.inDoubt,
    query.parentRunId === undefined || row.parentRunId === query.parentRunId,
  ].every(Boolean);
}
