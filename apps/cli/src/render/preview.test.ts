import { expect, test } from "vitest";
import type { ChangePreview } from "../run-status.ts";
import { renderDifferences, renderPreview } from "./preview.ts";
import { createStyle } from "./style.ts";

const PLAIN = createStyle(false);
type Call = ChangePreview["outlook"]["calls"][number];

const call = (more: Partial<Call> & Pick<Call, "path">): Call => ({
  place: more.path,
  token: "tok_1",
  function: "zone.create:1@powerdns",
  class: "findable",
  with: {},
  effects: [],
  reversible: "yes",
  certainty: { kind: "certain" },
  isUndo: false,
  ...more,
});

const PREVIEW: ChangePreview = {
  format: "tutti.change-preview/1",
  id: "1",
  runId: "run_1",
  createdAt: "2026-01-01T00:00:00.000Z",
  hash: "0123456789abcdef0123",
  workflow: { namespace: "lab", name: "web", version: "1.0.0", digest: "d" },
  input: {},
  inputDigest: "i",
  tolerances: [],
  outlook: {
    calls: [
      call({
        path: "/do/zone",
        provider: "dns",
        effects: [{ kind: "create", resource: "zone", name: "lab.test.\u001b[2J", isReversible: true }],
      }),
      call({ path: "/do/same" }),
      call({
        path: "/do/run",
        function: "run.shell",
        effects: undefined,
        reversible: "no",
        with: { shell: { $unknown: "x" } },
        reason: "depends on x",
      }),
      call({
        path: "/do/big",
        effects: [{ kind: "delete", resource: "zone", isReversible: true }],
        with: { name: "a", token: { $unknown: "y" } },
        certainty: {
          kind: "conditional",
          when: [{ path: "/do/big", of: "if", expression: ".a", dependsOn: "the output of /do/run", holds: true }],
        },
      }),
    ],
    facts: [{ place: "/look", path: "/do/look", function: "zone.list:1@powerdns", provider: "dns", value: [], digest: "d" }],
    waits: [{ path: "/do/wait", certainty: { kind: "certain" } }],
    locks: [{ path: "/do/zone", key: "dns", limit: 1 }],
    ends: [{ status: "faulted", error: { type: "t", status: 404, title: "gone", instance: "/do/0/zone" }, when: [] }],
    pointOfNoReturn: "/do/run",
    backOut: { undo: ["/do/zone"], stays: ["/do/run"] },
    decisions: [],
    paths: 3,
    isComplete: false,
  },
  blast: {
    creates: 1,
    changes: 0,
    deletes: 1,
    sends: 0,
    unknown: 1,
    conditional: 1,
    providers: ["dns"],
    locks: ["dns"],
    running: ["run_0"],
  },
  estimate: { runs: 3, p50Ms: 2000, p95Ms: 61_000, tasks: {} },
};

test("everything that is to be known before has its place, and nothing reaches the terminal as it came", () => {
  const text = renderPreview(PREVIEW, PLAIN);
  expect(text).toBe(`lab/web 1.0.0  preview 0123456789abcdef
Would create 1, delete 1 on dns; 1 call can't be foreseen.

Would do
  + create zone lab.test.\\u001b[2J  /do/zone  zone.create:1@powerdns on dns
  = changes nothing  /do/same  zone.create:1@powerdns
  ? can't be said before  /do/run  run.shell
      shell=?
      depends on x
      can't be undone
  - delete zone  /do/big  zone.create:1@powerdns
      name=a token=?
      only if \${ .a } at /do/big (the output of /do/run)

Waits for people or events
  /do/wait

Takes slots
  dns (1 at a time)  /do/zone

Known from
  /do/look  zone.list:1@powerdns on dns

Ends
  faulted: gone /do/0/zone

Backed out from its end, it would undo
  1. /do/zone

Nothing undoes
  /do/run  from here on there is no way back

Every decision was looked at in each way, but not all combinations of them (3 were).

1 run of this workflow not at the end yet: run_0

Took 2.0 s (95 of 100: 1 m 01 s) in the last 3 runs. Nothing was changed.
`);
});

test("differences show what was and what is", () => {
  expect(
    renderDifferences(
      [
        {
          of: "call",
          path: "/do/a",
          what: "changed",
          before: { effects: [{ name: "x" }], with: { n: 1 } },
          after: { effects: [], with: { n: 2 } },
        },
        { of: "fact", path: "/do/b", what: "gone" },
        { of: "call", path: "/do/c", what: "new" },
      ],
      PLAIN,
    ),
  ).toBe(`  ~ call /do/a changed
      effects.0: {"name":"x"} → nothing
      with.n: 1 → 2
  - fact /do/b gone
  + call /do/c new`);
});
