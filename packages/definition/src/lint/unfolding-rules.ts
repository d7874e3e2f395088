import { DEPTH_MAX } from "@tutti/model";
import { declaredExtensions, extensionsOf } from "../extensions.ts";
import type { LintContext } from "./context.ts";
import type { TaskSite } from "./task-sites.ts";

/** Tasks of a document when the bodies of its functions stand at each of their calls, and those of its extensions around each task. */
const UNFOLDED_TASKS_MAX = 100_000;

interface Size {
  readonly tasks: number;
  readonly depth: number;
}

/** The functions that a task calls, with the places where it does. */
type CalledFunctions = (site: TaskSite) => Iterable<readonly [name: string, pointer: string]>;

/**
 * Functions are put in at their calls, so one that calls itself would have no end, and a few that call each other twice would be very many
 * tasks. Extensions are put around each task. Reported are the call that closes a circle, and the first task with which the document
 * becomes too large or too deep.
 */
export function checkUnfolding(context: LintContext, calledFunctions: CalledFunctions): void {
  new Unfolding(context, calledFunctions).check();
}

class Unfolding {
  readonly #context: LintContext;
  readonly #calledFunctions: CalledFunctions;
  /** Tasks of each function, of each extension, and all others. */
  readonly #functions = new Map<string, TaskSite[]>();
  readonly #extensions = new Map<string, TaskSite[]>();
  readonly #others: TaskSite[] = [];
  /** Of functions and extensions, by `keyOf`. */
  readonly #sizes = new Map<string, Size>();
  readonly #open = new Set<string>();
  readonly #reported = new Set<string>();

  constructor(context: LintContext, calledFunctions: CalledFunctions) {
    this.#context = context;
    this.#calledFunctions = calledFunctions;
    const pointers = declaredExtensions(context.use).map(({ pointer }) => pointer);
    for (const site of context.sites) {
      let top = site;
      while (top.parent !== undefined) top = top.parent;
      const extension = pointers.find((pointer) => top.pointer.startsWith(`${pointer}/`));
      if (extension !== undefined) add(this.#extensions, extension, site);
      else if (top.group.kind === "function") add(this.#functions, top.name, site);
      else this.#others.push(site);
    }
  }

  check(): void {
    for (const name of this.#functions.keys()) this.#ofFunction(name, true);
    for (const pointer of this.#extensions.keys()) this.#ofExtension(pointer);
    this.#ofSites(this.#others, true);
  }

  /** A function called by an extension is not extended itself. */
  #ofFunction(name: string, isExtended: boolean): Size {
    return this.#remembered(keyOf(name, isExtended), () => this.#ofSites(this.#functions.get(name) ?? [], isExtended));
  }

  #ofExtension(pointer: string): Size {
    return this.#remembered(pointer, () => this.#ofSites(this.#extensions.get(pointer) ?? [], false));
  }

  #remembered(key: string, measure: () => Size): Size {
    const known = this.#sizes.get(key);
    if (known !== undefined) return known;
    // A chain of that many functions is too deep however it goes on; without an end here it could exhaust our own stack.
    if (this.#open.size > DEPTH_MAX) return { tasks: 1, depth: DEPTH_MAX + 1 };
    this.#open.add(key);
    const size = measure();
    this.#open.delete(key);
    this.#sizes.set(key, size);
    return size;
  }

  #ofSites(sites: readonly TaskSite[], isExtended: boolean): Size {
    let sum: Size = { tasks: 0, depth: 0 };
    for (const site of sites) {
      sum = { tasks: sum.tasks + 1, depth: Math.max(sum.depth, site.depth) };
      for (const [called, pointer] of this.#calledFunctions(site)) {
        if (!this.#functions.has(called)) continue;
        if (this.#open.has(keyOf(called, isExtended)))
          this.#report("recursive-function", pointer, `The function \`${called}\` calls itself here.`);
        else sum = this.#with(sum, site, this.#ofFunction(called, isExtended), pointer);
      }
      if (!isExtended) continue;
      for (const { pointer } of extensionsOf(this.#context.use, site.kind))
        sum = this.#with(sum, site, this.#ofExtension(pointer), site.pointer);
    }
    return sum;
  }

  #with(sum: Size, site: TaskSite, more: Size, pointer: string): Size {
    const tasks = Math.min(sum.tasks + more.tasks, UNFOLDED_TASKS_MAX + 1);
    const depth = Math.max(sum.depth, site.depth + more.depth);
    const wasWithin = sum.tasks <= UNFOLDED_TASKS_MAX && sum.depth <= DEPTH_MAX;
    const where = "With its functions put in at their calls, and its extensions around its tasks,";
    if (wasWithin && tasks > UNFOLDED_TASKS_MAX)
      this.#report("too-many-tasks", pointer, `${where} the document has more than ${UNFOLDED_TASKS_MAX} tasks.`);
    if (wasWithin && depth > DEPTH_MAX) this.#report("nesting-too-deep", pointer, `${where} tasks are nested more than ${DEPTH_MAX} deep.`);
    return { tasks, depth };
  }

  /** What is wrong with a function is wrong with and without extensions. */
  #report(rule: string, pointer: string, message: string): void {
    const key = `${rule} ${pointer}`;
    if (this.#reported.has(key)) return;
    this.#reported.add(key);
    this.#context.error(rule, { pointer, message });
  }
}

function keyOf(name: string, isExtended: boolean): string {
  return `${isExtended ? "extended" : "plain"} ${name}`;
}

function add(map: Map<string, TaskSite[]>, key: string, site: TaskSite): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [site]);
  else list.push(site);
}
