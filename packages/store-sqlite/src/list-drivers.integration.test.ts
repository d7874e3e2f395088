import { commitOf } from "@tutti/store/fixtures";
import type { RunQuery, RunRowChange } from "@tutti/store";
import { expect, test } from "vitest";
import { openSqliteStore } from "./sqlite-store.ts";
import { withDirectory } from "./testing/directory.ts";

const RUNS = 120;
const FILTERS: Partial<RunQuery> = {
  namespace: "ns-1",
  name: "wf-1",
  status: ["faulted"],
  errorType: "e-1",
  label: { key: "stage", value: "prod" },
};

test("any filters together find the same runs, whichever index is walked", async () => {
  await withDirectory(async (directory) => {
    const store = openSqliteStore({ directory });
    await store.start();
    try {
      const rows = Array.from({ length: RUNS }, (_, index) => {
        const commit = commitOf(index + 1, 0);
        const isFaulted = index % 5 === 0;
        // The fixture creates the run, so it has a row.
        const row = {
          ...(commit.row as RunRowChange),
          namespace: `ns-${index % 2}`,
          name: `wf-${index % 3}`,
          status: isFaulted ? ("faulted" as const) : ("completed" as const),
          errorType: isFaulted ? `e-${index % 4}` : undefined,
          labels: { stage: index % 7 < 3 ? "prod" : "test" },
        };
        return { commit: { ...commit, row }, row };
      });
      await store.commit({ runs: rows.map(({ commit }) => commit) });
      const tenant = rows[0]?.row.tenant ?? "";
      const keys = Object.keys(FILTERS) as (keyof typeof FILTERS)[];
      let found = 0;
      for (let chosen = 1; chosen < 2 ** keys.length; chosen++) {
        const query: Partial<RunQuery> = Object.fromEntries(
          keys.filter((_, bit) => (chosen & (1 << bit)) !== 0).map((key) => [key, FILTERS[key]]),
        );
        const page = await store.listRuns({ tenant, limit: RUNS, ...query });
        const expected = rows
          .filter(({ row }) => query.namespace === undefined || row.namespace === query.namespace)
          .filter(({ row }) => query.name === undefined || row.name === query.name)
          .filter(({ row }) => query.status === undefined || query.status.includes(row.status))
          .filter(({ row }) => query.errorType === undefined || row.errorType === query.errorType)
          .filter(({ row }) => query.label === undefined || row.labels.stage === query.label.value)
          .map(({ commit }) => commit.runId);
        expect({ query, runs: page.runs.map((run) => run.runId).toSorted() }).toEqual({ query, runs: expected.toSorted() });
        found += expected.length;
      }
      expect(found).toBeGreaterThan(RUNS);
    } finally {
      await store.abandon();
    }
  });
});
