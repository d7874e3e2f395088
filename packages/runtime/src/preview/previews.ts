import { CURRENT_FLAGS, explore, traceRun } from "@tutti/engine";
import { AppError, DEFAULT_TENANT, type Json } from "@tutti/model";
import type { RunRow, Store } from "@tutti/store";
import type { Env } from "../env.ts";
import type { Redactor } from "../redactor.ts";
import type { LoadedProgram } from "../program-cache.ts";
import type { RunHistoryReader } from "../run-history.ts";
import type { RunStarts, StartedRun } from "../run-starts.ts";
import type { PreviewRunRequest, StartPreviewedRequest } from "../runtime.ts";
import { blastOf, type ChangePreview, digestOf, type Estimate, factOf, hashOf, percentile, PREVIEW_FORMAT } from "./change-preview.ts";
import { comparePreviews } from "./compare.ts";
import { PreviewWorld, type PreviewWorldDeps } from "./preview-world.ts";

/** Completed runs that durations are taken from, the latest. */
const ESTIMATE_RUNS_MAX = 10;
/** Records of runs that are read for them; longer ones count as a whole only. */
const ESTIMATE_RECORDS_MAX = 5000;
/** Unfinished runs of the workflow that are named. */
const RUNNING_NAMED_MAX = 10;
/** Differences in the message of a refusal; all are in its details. */
const DIFFERENCES_SHOWN_MAX = 5;

export interface PreviewsDeps {
  readonly store: Store;
  readonly env: Env;
  readonly starts: RunStarts;
  readonly redactor: Redactor;
  /** Throws when the runtime is not started, or has stopped. */
  readonly parts: () => Omit<PreviewWorldDeps, "redactor" | "env"> & {
    readonly history: RunHistoryReader;
    readonly clock: { nowMs(): number };
  };
}

/** Change previews: what a run would do, and starts that are bound to it. */
export class Previews {
  readonly #deps: PreviewsDeps;

  constructor(deps: PreviewsDeps) {
    this.#deps = deps;
  }

  /** See `Runtime.previewRun`. */
  async preview(request: PreviewRunRequest): Promise<ChangePreview> {
    const { workflow, input } = request;
    const { programs, clock } = this.#deps.parts();
    const given =
      "document" in workflow
        ? await this.#deps.starts.checkWith(await programs.draft(workflow.document, clock.nowMs()), { input })
        : await this.#deps.starts.check({ ...workflow, input });
    return this.#make(this.#deps.env.randomId(), given, request.tolerances ?? []);
  }

  /** See `Runtime.startPreviewed`. */
  async start(request: StartPreviewedRequest): Promise<StartedRun> {
    const { preview, actor, labels } = request;
    const { namespace, name, version } = preview.workflow;
    const input = request.input === undefined ? preview.input : request.input;
    if (digestOf(input) !== preview.inputDigest)
      throw new AppError(
        "preview-void",
        request.input === undefined
          ? "The preview does not hold the whole input, since secrets are masked: give the input as well (--input)."
          : "This is not the input that was previewed.",
        { details: { hash: preview.hash } },
      );
    const startKey = startKeyOf(preview.id);
    const start = { namespace, name, version, input, actor, labels: { ...labels, preview: preview.hash.slice(0, 16) }, startKey };
    // What was started from it once is there already, whatever has become of the world.
    if ((await this.#deps.store.loadRun(this.#deps.starts.runIdOf(startKey))) !== undefined) return this.#deps.starts.start(start);
    const given = await this.#deps.starts.check({ namespace, name, version, input });
    const now = await this.#make(preview.id, given, preview.tolerances);
    const isIntact = hashOf(preview) === preview.hash;
    const differences = comparePreviews(preview, now).filter((difference) => !difference.isTolerated);
    if (!isIntact || differences.length > 0) {
      const shown = differences
        .slice(0, DIFFERENCES_SHOWN_MAX)
        .map(({ of, path, what }) => `${of}${path === undefined ? "" : ` ${path}`} ${what}`);
      const why = isIntact
        ? `the world has moved since: ${shown.join(", ")}${differences.length > shown.length ? ", …" : ""}`
        : "its content was changed after it was made";
      throw new AppError("preview-void", `The preview ${preview.hash.slice(0, 16)} is void: ${why}. Nothing was started.`, {
        details: { hash: preview.hash, now: now.hash, differences: differences as unknown as Json },
      });
    }
    return this.#deps.starts.start(start);
  }

  async #make(
    id: string,
    { program, input }: { readonly program: LoadedProgram; readonly input: Json },
    tolerances: readonly string[],
  ): Promise<ChangePreview> {
    const parts = this.#deps.parts();
    const { env, redactor } = this.#deps;
    const { namespace, name, version, digest, baseDirectory } = program.definition;
    const workflow = { namespace, name, version, digest };
    const runId = this.#deps.starts.runIdOf(startKeyOf(id));
    const world = new PreviewWorld({ ...parts, env, redactor }, baseDirectory);
    const { facts, ...outlook } = await explore(
      { runId, tenant: DEFAULT_TENANT, workflow, context: program.context, input, flags: CURRENT_FLAGS },
      world,
    );
    const shown = { ...outlook, facts: facts.map(factOf) };
    const given = { workflow, inputDigest: digestOf(input), outlook: shown, tolerances };
    return {
      format: PREVIEW_FORMAT,
      id,
      runId,
      createdAt: new Date(parts.clock.nowMs()).toISOString(),
      hash: hashOf(given),
      input: redactor.maskJson(input),
      ...given,
      blast: blastOf(outlook, await this.#running(namespace, name)),
      estimate: await this.#estimate(program),
    };
  }

  async #running(namespace: string, name: string): Promise<readonly string[]> {
    const status = ["running", "waiting", "suspended", "faulted"] as const;
    const { runs } = await this.#deps.store.listRuns({
      tenant: DEFAULT_TENANT,
      namespace,
      name,
      status: [...status],
      limit: RUNNING_NAMED_MAX,
    });
    return runs.map(({ runId }) => runId);
  }

  /** From runs of the same version, as long as there are any. */
  async #estimate({ definition, context }: LoadedProgram): Promise<Estimate> {
    const { namespace, name, digest } = definition;
    const { runs } = await this.#deps.store.listRuns({
      tenant: DEFAULT_TENANT,
      namespace,
      name,
      status: ["completed"],
      limit: ESTIMATE_RUNS_MAX,
    });
    const mine = runs.filter((run) => run.digest === digest);
    const wholes = mine.flatMap(({ startedAtMs, endedAtMs }) => (endedAtMs === undefined ? [] : [endedAtMs - startedAtMs]));
    const durations = new Map<string, number[]>();
    for (const run of mine)
      for (const [path, ms] of await this.#taskTimes(run, context)) durations.set(path, [...(durations.get(path) ?? []), ms]);
    const p50Ms = percentile(wholes, 0.5);
    const p95Ms = percentile(wholes, 0.95);
    return {
      runs: wholes.length,
      ...(p50Ms !== undefined && p95Ms !== undefined && { p50Ms, p95Ms }),
      tasks: Object.fromEntries(
        [...durations].map(([path, all]) => [path, { p50Ms: percentile(all, 0.5) ?? 0, p95Ms: percentile(all, 0.95) ?? 0 }]),
      ),
    };
  }

  async #taskTimes({ runId, seq }: RunRow, context: LoadedProgram["context"]): Promise<readonly (readonly [string, number])[]> {
    if (seq > ESTIMATE_RECORDS_MAX) return [];
    const { spans } = traceRun(await this.#deps.parts().history.records(runId, seq), context);
    return spans.flatMap(({ kind, path, startAtMs, endAtMs }) =>
      kind === "task" && path !== undefined ? [[path, endAtMs - startAtMs] as const] : [],
    );
  }
}

/** A preview is started once: its run has an id that follows from it. */
function startKeyOf(previewId: string): string {
  return `preview:${previewId}`;
}
