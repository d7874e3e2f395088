import { joinPointer } from "../json-pointer.ts";
import { didYouMean } from "../nearest-name.ts";
import { isWrappedExpression } from "../schema/text.ts";
import { type LintContext, member, textAt } from "./context.ts";

const SCRIPT_LANGUAGES: readonly string[] = ["bash", "sh", "python", "javascript", "js"];
/** Spellings with a version: the specification's table names ES2024 and Python 3.13, and so do authors. */
const WITH_VERSION = /^(?:es2024|(?:javascript|js)[ :@-]?(?:es)?2024|python3?|python[ :@-]?3(?:\.13(?:\.(?:x|\d+))?)?)$/;
/** Methods that may be sent again without another effect. */
const REPEATABLE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

const EFFECT_HINT =
  "Say with `metadata.tutti.effect` that it is `read` or `idempotent`, or `findable` with a `find`; or accept it as `unsafe`.";

/** Processes and calls that change something outside: languages of scripts, and effects that nothing makes safe. */
export function checkProcesses(context: LintContext): void {
  for (const { task, pointer } of context.sites) {
    const language = textAt(member(member(task, "run"), "script"), "language");
    if (language !== undefined) checkLanguage(context, language, joinPointer(pointer, "run", "script", "language"));
    const unsafe = unsafeEffect(task);
    if (unsafe === undefined || Object.hasOwn(member(member(task, "metadata"), "tutti"), "effect")) continue;
    // Tasks that look an effect up are `read` unless they say otherwise.
    if (pointer.includes("/metadata/tutti/effect/find/")) continue;
    context.warning("unsafe-effect", {
      pointer: joinPointer(pointer, unsafe.key),
      place: "key",
      message: `When the process dies during ${unsafe.what}, nobody can know whether it had its effect: the task then waits for a person.`,
      hint: EFFECT_HINT,
    });
  }
}

function checkLanguage(context: LintContext, language: string, pointer: string): void {
  const wanted = language.trim().toLowerCase();
  if (isWrappedExpression(language) || SCRIPT_LANGUAGES.includes(wanted) || WITH_VERSION.test(wanted)) return;
  context.error("unknown-script-language", {
    pointer,
    message: `No runner is there for scripts in \`${language}\`.`,
    hint: () => didYouMean(wanted, SCRIPT_LANGUAGES) ?? `Languages are ${SCRIPT_LANGUAGES.map((name) => `\`${name}\``).join(", ")}.`,
  });
}

function unsafeEffect(task: Parameters<typeof member>[0]): { readonly key: string; readonly what: string } | undefined {
  if (textAt(task, "call") === "http") {
    const method = textAt(member(task, "with"), "method") ?? "";
    // Which method an expression gives is known at run time; then the engine takes anything unknown for unsafe.
    return REPEATABLE_METHODS.has(method.toUpperCase())
      ? undefined
      : { key: "call", what: `this ${method.length <= 10 ? method.toUpperCase() : "request"}` };
  }
  if (textAt(task, "call") === "asyncapi" && Object.hasOwn(member(task, "with"), "message")) return { key: "call", what: "this message" };
  if (textAt(task, "call") === "mcp" && textAt(member(task, "with"), "method") === "tools/call") return { key: "call", what: "this tool" };
  const run = member(task, "run");
  const process = ["shell", "script", "container"].find((key) => Object.hasOwn(run, key));
  // A container is found again by its token; only input that was half written can't be known to have arrived.
  if (process === "container" && !Object.hasOwn(member(run, "container"), "stdin")) return undefined;
  return process === undefined ? undefined : { key: "run", what: `this ${process === "shell" ? "command" : process}` };
}
