import type { SchedulePlan } from "@tutti/definition";
import { AppError, DEFAULT_TENANT } from "@tutti/model";
import type { Store } from "@tutti/store";
import type { Env } from "./env.ts";
import type { LoadedProgram, ProgramCache } from "./program-cache.ts";
import { describeUnsupported } from "./run-starter.ts";
import type { FireScheduleRequest, ScheduleView } from "./runtime.ts";
import { instantsAhead, viewSchedule } from "./schedule-view.ts";
import type { ScheduleName, Scheduler } from "./scheduler.ts";

/** Coming instants of a schedule that are computed at once. */
const INSTANTS_MAX = 1000;

/** What people do with schedules: look at them, enable and disable them, start a run by hand. */
export class ScheduleOperations {
  readonly #deps: { readonly store: Store; readonly env: Env; readonly programs: ProgramCache; readonly scheduler: Scheduler };

  constructor(deps: { readonly store: Store; readonly env: Env; readonly programs: ProgramCache; readonly scheduler: Scheduler }) {
    this.#deps = deps;
  }

  async list(): Promise<readonly ScheduleView[]> {
    const { store, programs, scheduler } = this.#deps;
    const stored = await store.listSchedules(DEFAULT_TENANT);
    const known = new Set(stored.map((row) => `${row.namespace}/${row.name}`));
    const names = new Map((await store.listDefinitions()).map((one) => [`${one.namespace}/${one.name}`, one]));
    const views: ScheduleView[] = [];
    for (const [title, { namespace, name }] of names) {
      const program = await programs.find(namespace, name, "latest");
      if (program === undefined || (program.context.program.schedule === undefined && !known.has(title))) continue;
      views.push(viewSchedule(program, await scheduler.find({ namespace, name })));
    }
    return views;
  }

  async show(name: ScheduleName): Promise<ScheduleView> {
    const program = await this.#latest(name);
    const stored = await this.#deps.scheduler.find(name);
    if (stored === undefined) planOf(program);
    return viewSchedule(program, stored);
  }

  async set(name: ScheduleName, isEnabled: boolean): Promise<ScheduleView> {
    const program = await this.#latest(name);
    const plan = planOf(program);
    if (isEnabled) checkStartable(program, plan);
    return viewSchedule(program, await this.#deps.scheduler.set(name, plan, isEnabled));
  }

  async fire(request: FireScheduleRequest): Promise<{ readonly runId: string }> {
    const { namespace, name, actor } = request;
    const plan = planOf(await this.#latest(request));
    const input = request.input ?? (plan.trigger.kind === "on" ? [] : {});
    return this.#deps.scheduler.fire({ namespace, name }, { input, actor });
  }

  async nextInstants(name: ScheduleName, count: number): Promise<readonly number[]> {
    const plan = planOf(await this.#latest(name));
    const stored = await this.#deps.scheduler.find(name);
    const state = stored?.row.isEnabled === true ? stored.state : undefined;
    return instantsAhead(plan, state, Math.floor(this.#deps.env.wallClockMs()), Math.min(count, INSTANTS_MAX));
  }

  #latest({ namespace, name }: ScheduleName): Promise<LoadedProgram> {
    return this.#deps.programs.get(namespace, name, "latest");
  }
}

/** @throws AppError `schedule-not-found`. */
function planOf(program: LoadedProgram): SchedulePlan {
  const { schedule } = program.context.program;
  if (schedule !== undefined) return schedule;
  const { namespace, name, version } = program.definition;
  throw new AppError("schedule-not-found", `The latest version of ${namespace}/${name}, ${version}, has no schedule.`, {
    details: { namespace, name, version },
    hint: "Publish a version with `schedule`: every, cron, after or on.",
  });
}

/** A schedule that could never start a run is refused when it is enabled, not at night. */
function checkStartable(program: LoadedProgram, plan: SchedulePlan): void {
  const { namespace, name, version } = program.definition;
  const label = `${namespace}/${name} ${version}`;
  const unsupported = describeUnsupported(program);
  if (unsupported !== undefined) throw new AppError("definition-unsupported", `${label} can't be run: ${unsupported}.`);
  const problem = plan.trigger.kind === "on" ? undefined : program.context.program.input.schema?.({});
  if (problem !== undefined)
    throw new AppError("input-invalid", `By its schedule ${label} starts with the input {}, which does not fit its schema: ${problem}`, {
      details: { problem },
      hint: "Let the input schema accept an empty object, with defaults in `input.from`.",
    });
}
