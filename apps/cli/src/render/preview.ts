import type { ChangePreview } from "../run-status.ts";
import { formatDuration } from "./duration.ts";
import type { Style } from "./style.ts";
import { UNKNOWN_MEMBER } from "@tutti/model";
import { oneLine, plural, truncate } from "./text.ts";

type Call = ChangePreview["outlook"]["calls"][number];
type Effect = NonNullable<Call["effects"]>[number];
type Condition = Extract<Call["certainty"], { readonly kind: "conditional" }>["when"][number];

/** One sign per kind of effect, so that nothing is said by colour alone. */
const SIGNS: Readonly<Record<Effect["kind"], string>> = { create: "+", change: "~", delete: "-", read: "·", send: ">" };
/** Characters of the hash that people compare; files hold all of it. */
const HASH_SHOWN = 16;

/** What a run would do, for people: effects in order, with what they depend on and whether they can be undone; then what that was known from. */
export function renderPreview(preview: ChangePreview, style: Style): string {
  const { workflow, outlook } = preview;
  const lines = [
    `${style.bold(`${workflow.namespace}/${workflow.name} ${workflow.version}`)}  ${style.dim(`preview ${preview.hash.slice(0, HASH_SHOWN)}`)}`,
    summary(preview),
    "",
  ];
  const section = (title: string, items: readonly string[]): void => {
    if (items.length > 0) lines.push(style.bold(title), ...items, "");
  };
  section(
    "Would do",
    outlook.calls.filter((call) => !call.isUndo).flatMap((call) => callLines(call, style)),
  );
  section(
    "Would undo, where it fails on the way",
    outlook.calls.filter((call) => call.isUndo).flatMap((call) => callLines(call, style)),
  );
  section(
    "Waits for people or events",
    outlook.waits.map(({ path, certainty }) => `  ${oneLine(path)}${inCase(certainty)}`),
  );
  section(
    "Takes slots",
    outlook.locks.map(({ path, key, limit }) => `  ${oneLine(key)} (${limit} at a time)  ${style.dim(oneLine(path))}`),
  );
  section(
    "Known from",
    outlook.facts.map(
      ({ path, function: name, provider }) =>
        `  ${oneLine(path)}  ${style.dim(`${name}${provider === undefined ? "" : ` on ${provider}`}`)}`,
    ),
  );
  section("Ends", endLines(preview, style));
  section(
    "Backed out from its end, it would undo",
    outlook.backOut.undo.map((path, index) => `  ${index + 1}. ${oneLine(path)}`),
  );
  section(
    "Nothing undoes",
    outlook.backOut.stays.map(
      (path) => `  ${oneLine(path)}${path === outlook.pointOfNoReturn ? style.attention("  from here on there is no way back") : ""}`,
    ),
  );
  if (!outlook.isComplete)
    lines.push(style.attention(`Every decision was looked at in each way, but not all combinations of them (${outlook.paths} were).`), "");
  if (preview.blast.running.length > 0)
    lines.push(
      style.attention(
        `${plural(preview.blast.running.length, "run")} of this workflow not at the end yet: ${preview.blast.running.join(", ")}`,
      ),
      "",
    );
  lines.push(`${estimate(preview)}Nothing was changed.`);
  return `${lines.join("\n")}\n`;
}

function summary({ blast }: ChangePreview): string {
  const counted = [
    [blast.creates, "create"],
    [blast.changes, "change"],
    [blast.deletes, "delete"],
    [blast.sends, "send"],
  ] as const;
  const parts = counted.flatMap(([count, what]) => (count === 0 ? [] : [`${what} ${count}`]));
  const unknown = blast.unknown === 0 ? "" : `; ${plural(blast.unknown, "call")} can't be foreseen`;
  const where = blast.providers.length === 0 ? "" : ` on ${blast.providers.join(", ")}`;
  return `${parts.length === 0 ? "Would change nothing that is known" : `Would ${parts.join(", ")}`}${where}${unknown}.`;
}

function callLines(call: Call, style: Style): readonly string[] {
  const by = style.dim(`${oneLine(call.path)}  ${call.function}${call.provider === undefined ? "" : ` on ${call.provider}`}`);
  const notes = [
    ...(call.certainty.kind === "conditional" ? [`only${inCase(call.certainty)}`] : []),
    ...(call.reason === undefined ? [] : [oneLine(call.reason)]),
    ...(call.class !== "read" && call.reversible === "no" && call.effects?.length !== 0 && !call.isUndo ? ["can't be undone"] : []),
  ];
  const effects =
    call.effects === undefined
      ? [style.attention("? can't be said before")]
      : call.effects.length === 0
        ? [call.class === "read" ? "· reads" : "= changes nothing"]
        : call.effects.map((effect) => effectText(effect, style));
  // What has no name yet is known by what it is made with.
  const isNamed = call.effects?.every(({ name }) => name !== undefined) ?? false;
  const given = isNamed || call.class === "read" ? [] : [withText(call.with)].filter((text) => text !== "");
  return [
    ...effects.map((effect, index) => `  ${effect}${index === 0 ? `  ${by}` : ""}`),
    ...given.map((text) => `      ${style.dim(text)}`),
    ...notes.map((note) => `      ${note}`),
  ];
}

/** Characters of arguments, and of one of them. */
const WITH_SHOWN = 160;
const ARGUMENT_SHOWN = 40;

/** `zone=lab.test name=web1 records=?`: what a call is made with, as far as it is known. */
function withText(given: Call["with"]): string {
  const parts = Object.entries(given).map(([name, value]) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return `${name}=${text.includes(UNKNOWN_MEMBER) ? "?" : truncate(oneLine(text), ARGUMENT_SHOWN)}`;
  });
  return truncate(parts.join(" "), WITH_SHOWN);
}

function effectText({ kind, resource, name }: Effect, style: Style): string {
  const paint = kind === "create" ? style.good : kind === "delete" ? style.bad : kind === "read" ? style.dim : style.attention;
  return paint(`${SIGNS[kind]} ${kind} ${resource}${name === undefined ? "" : ` ${oneLine(name)}`}`);
}

function inCase(certainty: Call["certainty"]): string {
  if (certainty.kind === "certain") return "";
  if (certainty.when.length === 0) return " on some of the ways";
  return ` ${certainty.when.map(conditionText).join(", and ")}`;
}

function conditionText({ of, name, expression, dependsOn, holds, path }: Condition): string {
  const asked = expression === undefined ? "" : ` \${ ${oneLine(expression)} }`;
  const not = holds ? "" : " not";
  const why = ` (${oneLine(dependsOn)})`;
  switch (of) {
    case "race":
      return `if ${oneLine(name ?? "")} is${not} done first in ${oneLine(path)}`;
    case "for":
      return `if there is${holds ? "" : " not"} anything for ${oneLine(path)}${why}`;
    case "case":
      return `if the case ${oneLine(name ?? "")} of ${oneLine(path)} is${not} taken:${asked}${why}`;
    default:
      return `if${not}${asked} at ${oneLine(path)}${why}`;
  }
}

function endLines({ outlook }: ChangePreview, style: Style): readonly string[] {
  const [only, ...others] = outlook.ends;
  if (others.length === 0 && only?.status === "completed") return [];
  return outlook.ends.map((end) => {
    const when = end.when.length === 0 ? "" : `  ${end.when.map(conditionText).join(", and ")}`;
    const how =
      end.status === "faulted"
        ? style.bad(`faulted: ${oneLine(end.error?.title ?? "")} ${typeof end.error?.instance === "string" ? end.error.instance : ""}`)
        : end.status;
    return `  ${how}${when}`;
  });
}

function estimate({ estimate: { runs, p50Ms, p95Ms } }: ChangePreview): string {
  if (p50Ms === undefined || p95Ms === undefined) return "";
  return `Took ${formatDuration(p50Ms)} (95 of 100: ${formatDuration(p95Ms)}) in the last ${plural(runs, "run")}. `;
}

/** In what the world differs from a preview; for the refusal of its start. */
export function renderDifferences(differences: readonly Difference[], style: Style): string {
  return differences
    .map(({ of, path, what, before, after }) => {
      const head = `  ${what === "new" ? style.good("+") : what === "gone" ? style.bad("-") : style.attention("~")} ${of}${path === undefined ? "" : ` ${oneLine(path)}`}`;
      const changes = what === "changed" ? changed(before ?? null, after ?? null, "").map((line) => `      ${line}`) : [];
      return [`${head} ${what}`, ...changes].join("\n");
    })
    .join("\n");
}

/** One difference as the refusal's details have it. */
export interface Difference {
  readonly of: string;
  readonly path?: string;
  readonly what: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Members shown of one difference. */
const CHANGES_SHOWN_MAX = 6;
const VALUE_SHOWN_MAX = 80;

function changed(before: unknown, after: unknown, where: string): readonly string[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (
    typeof before !== "object" ||
    typeof after !== "object" ||
    before === null ||
    after === null ||
    Array.isArray(before) !== Array.isArray(after)
  )
    return [`${where === "" ? "" : `${where}: `}${shown(before)} → ${shown(after)}`];
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const member = (value: object, name: string): unknown =>
    Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
  const found = names.flatMap((name) => changed(member(before, name), member(after, name), where === "" ? name : `${where}.${name}`));
  return found.length <= CHANGES_SHOWN_MAX
    ? found
    : [...found.slice(0, CHANGES_SHOWN_MAX), `… and ${found.length - CHANGES_SHOWN_MAX} more`];
}

function shown(value: unknown): string {
  const text = oneLine(JSON.stringify(value) ?? "nothing");
  return text.length <= VALUE_SHOWN_MAX ? text : `${text.slice(0, VALUE_SHOWN_MAX)}…`;
}
