import { isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import { joinPointer } from "../json-pointer.ts";
import { type LintContext, member, textAt } from "./context.ts";
import type { ExpressionReader } from "./expression-facts.ts";
import { expressionPositions } from "./expression-positions.ts";
import { sourceOf } from "./expression-rules.ts";
import type { TaskGroup, TaskSite } from "./task-sites.ts";

/** Fields that an expression builds: `{ error: …, "id": … }`. A text scan, good enough for a warning. */
const BUILT_FIELD = /[{,]\s*"?([A-Za-z_]\w*)"?\s*:/g;
const URI_VARIABLE = /\{([A-Za-z_]\w*)\}/g;

/** How data gets lost between tasks: outputs replace (trap 3), and branches export over each other (trap 7). */
export function checkDataFlow(context: LintContext, reader: ExpressionReader): void {
  const reads = readsByTask(context, reader);
  for (const group of context.groups) if (group.kind === "sequence") checkSequence(context, group, reads);
  checkExports(context);
}

/** A field that a task reads of its own input, with the first place where it does. */
type Reads = ReadonlyMap<string, string>;

/** What each task reads of what the task before it gave: by its `if` and `input.from`, and by the rest when there is no `input.from`. */
function readsByTask(context: LintContext, reader: ExpressionReader): ReadonlyMap<TaskSite, Reads> {
  const byTask = new Map<TaskSite, Map<string, string>>();
  const add = (site: TaskSite, field: string, pointer: string): void => {
    const fields = byTask.get(site) ?? new Map<string, string>();
    if (!fields.has(field)) fields.set(field, pointer);
    byTask.set(site, fields);
  };
  for (const position of expressionPositions(context)) {
    const { site, pointer } = position;
    if (site === undefined || !readsInput(site, pointer)) continue;
    const expression = sourceOf(position);
    if (expression === undefined) {
      if (isUri(pointer)) for (const match of position.text.matchAll(URI_VARIABLE)) add(site, match[1] as string, pointer);
      continue;
    }
    const facts = reader.read(expression.source);
    if (facts.kind === "valid") for (const field of facts.fields) add(site, field, pointer);
  }
  return byTask;
}

/** Whether `.` at `pointer` is the input as the task before gave it. */
function readsInput(site: TaskSite, pointer: string): boolean {
  const inner = pointer.slice(site.pointer.length + 1);
  if (inner === "if" || inner.startsWith("input/from")) return true;
  if (Object.hasOwn(member(site.task, "input"), "from")) return false;
  // Outputs, events and errors are what `.` is in these.
  return !/^(?:output|export|listen|foreach|catch|while|with\/subscription)(?:\/|$)/.test(inner);
}

function isUri(pointer: string): boolean {
  return /\/(?:endpoint|uri)$/.test(pointer);
}

function checkSequence(context: LintContext, group: TaskGroup, reads: ReadonlyMap<TaskSite, Reads>): void {
  // A jump makes the order of the text another than that of the run; then nothing is certain enough to warn.
  if (group.sites.some((site) => jumps(site))) return;
  const seen = new Map<string, string>();
  for (const field of Object.keys(member(member(member(member(context.document, "input"), "schema"), "document"), "properties"))) {
    if (group.pointer === "/do") seen.set(field, "the workflow's input");
  }
  let before: { readonly fields: ReadonlySet<string>; readonly site: TaskSite } | undefined;
  for (const site of group.sites) {
    for (const [field, pointer] of reads.get(site) ?? []) {
      const origin = seen.get(field);
      if (before !== undefined && !before.fields.has(field) && origin !== undefined) {
        context.warning("dropped-field", {
          pointer,
          message: `\`.${field}\` comes from ${origin}, but \`${before.site.name}\` has replaced it: a task's output replaces its input.`,
          hint: `Keep it with \`export\` and read \`$context.${field}\`, or add it to the output of \`${before.site.name}\`.`,
        });
        continue;
      }
      if (before === undefined) seen.set(field, "the input of the first tasks");
    }
    const fields = outputFields(site);
    if (fields !== undefined) for (const field of fields) seen.set(field, `the output of \`${site.name}\``);
    // A task that may be skipped passes its input on.
    before = fields === undefined || Object.hasOwn(site.task, "if") ? undefined : { fields, site };
  }
}

function jumps(site: TaskSite): boolean {
  const then = textAt(site.task, "then");
  return (
    site.kind === "switch" ||
    (then !== undefined && then !== "continue" && then !== "end" && then !== "exit") ||
    Object.hasOwn(member(site.task, "catch"), "then")
  );
}

/** The fields of a task's output where the document says them all: an object in `output.as`, or in `set`. */
function outputFields(site: TaskSite): ReadonlySet<string> | undefined {
  const output = member(site.task, "output");
  if (Object.hasOwn(output, "as")) return keysOf(ownProperty(output, "as"));
  return site.kind === "set" ? keysOf(ownProperty(site.task, "set")) : undefined;
}

function keysOf(value: Json | undefined): ReadonlySet<string> | undefined {
  return isJsonObject(value) ? new Set(Object.keys(value)) : undefined;
}

/** Fields that more than one branch of a fork exports. */
function checkExports(context: LintContext): void {
  /** Per fork: who has exported which field first. */
  const forks = new Map<TaskGroup, Map<string, TaskSite>>();
  for (const site of context.sites) {
    const fields = [...exportedFields(site.task)];
    if (fields.length === 0) continue;
    for (let branch: TaskSite | undefined = site; branch !== undefined; branch = branch.parent) {
      if (branch.group.kind !== "branches") continue;
      const exporters: Map<string, TaskSite> = forks.get(branch.group) ?? new Map<string, TaskSite>();
      forks.set(branch.group, exporters);
      for (const field of fields) {
        const other: TaskSite = exporters.get(field) ?? branch;
        exporters.set(field, other);
        if (other !== branch) reportConflict(context, field, [other.name, branch.name], joinPointer(site.pointer, "export", "as"));
      }
    }
  }
}

function reportConflict(context: LintContext, field: string, branches: readonly [string, string], pointer: string): void {
  context.warning("fork-export-conflict", {
    pointer,
    place: "key",
    message: `The branches \`${branches[0]}\` and \`${branches[1]}\` both export \`${field}\`: the one that stands later in the document wins.`,
    hint: "Export different fields, or merge the branches' outputs after the fork.",
  });
}

function exportedFields(task: JsonObject): Iterable<string> {
  const exported = ownProperty(member(task, "export"), "as");
  if (typeof exported === "string") return [...exported.matchAll(BUILT_FIELD)].map((match) => match[1] as string);
  return keysOf(exported) ?? [];
}
