import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { Json } from "@tutti/model";
import type { CommitBatch, CommitResult, Store } from "@tutti/store";

/**
 * A store that ends its process once at each position of a journal, for walks over all of them (`TUTTI_CRASH_ONCE=FILE`).
 *
 * A position is what a record says, without the attempt number: run, kind of record, task, kind of outcome. So a position is *first reached*
 * once, whatever recoveries add to the journal; dying at every new record instead would never let an interrupted attempt be sent. When a
 * commit brings positions that are not in the file, they are added to it, one a line, and the process dies after the commit and before
 * anybody learns of it.
 */
export function crashOnceStore(store: Store, file: string, die: () => void): Store {
  const seen = new Set(existsSync(file) ? readFileSync(file, "utf8").split("\n") : []);
  const commit = async (batch: CommitBatch): Promise<CommitResult> => {
    const result = await store.commit(batch);
    const reached = batch.runs.flatMap((run, place) =>
      result.verdicts[place]?.verdict === "committed"
        ? run.records.map((record, offset) => positionOf(run.runId, run.expectedSeq + offset + 1, record.text))
        : [],
    );
    const first = reached.filter((position) => !seen.has(position.key));
    if (first.length > 0) {
      appendFileSync(file, first.map((position) => `# ${position.seq}\n${position.key}\n`).join(""));
      die();
    }
    return result;
  };
  return new Proxy(store, {
    get: (target, name) => {
      if (name === "commit") return commit;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
}

function positionOf(runId: string, seq: number, text: string): { readonly seq: number; readonly key: string } {
  // Written by the engine; large values are cut out of the text by markers that keep it JSON.
  const record = JSON.parse(text) as {
    readonly type: string;
    readonly task?: number;
    readonly timer?: number;
    readonly path?: string;
    readonly outcome?: { readonly kind: string };
    readonly verdict?: Json;
  };
  const parts = [runId, record.type, record.task, record.timer, record.path, record.outcome?.kind, record.verdict];
  return { seq, key: parts.filter((part) => part !== undefined).join(" ") };
}
