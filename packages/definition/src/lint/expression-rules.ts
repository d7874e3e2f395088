import { STANDARD_VARIABLES } from "../program.ts";
import { didYouMean } from "../nearest-name.ts";
import { AVAILABLE, type Availability } from "./availability.ts";
import { wrappedExpression } from "../compile-template.ts";
import { type LintContext, textAt, member } from "./context.ts";
import { ANY, type ExpressionReader } from "./expression-facts.ts";
import { type ExpressionPosition, expressionPositions } from "./expression-positions.ts";
import { checkSecret } from "./reference-rules.ts";

const STANDARD: readonly string[] = STANDARD_VARIABLES;
/** Variables that jq itself brings; `$ENV` is not among them: no expression reads the environment. */
const BUILT_IN: ReadonlySet<string> = new Set(["__loc__"]);
/** Text that is data by its place, but looks like a path or a variable. */
const LOOKS_LIKE_PATH = /^\s*(?:\.[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*|\[[^\]]*\])*|\$[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[[^\]]*\])*)\s*$/;
/** Places whose texts are often file names or options that begin with a dot. */
const PATH_LIKE_PLACES = /\/(?:arguments|command|code|volumes|ports|image)(?:\/|$)/;
/** Syntax of expressions, their wrappers, and which variables they may read where. */
export function checkExpressions(context: LintContext, reader: ExpressionReader): void {
  const evaluate = member(context.document, "evaluate");
  // Other languages are refused at start; their expressions are not ours to judge.
  if ((textAt(evaluate, "language") ?? "jq") !== "jq") return;
  const isLoose = textAt(evaluate, "mode") === "loose";
  const names = new Set(context.sites.map(({ name }) => name));
  for (const position of expressionPositions(context)) checkPosition(context, reader, { position, isLoose, names });
}

/** The source of the expression at a position and where it begins in the text; undefined when the text is data. */
export function sourceOf(position: ExpressionPosition): { readonly source: string; readonly offset: number } | undefined {
  const wrapped = wrappedExpression(position.text);
  if (wrapped !== undefined) return { source: wrapped, offset: position.text.indexOf("${") + 2 };
  return position.style === "expression" ? { source: position.text, offset: 0 } : undefined;
}

interface Subject {
  readonly position: ExpressionPosition;
  /** The document says that texts are evaluated without the wrapper. */
  readonly isLoose: boolean;
  /** Names of tasks. */
  readonly names: ReadonlySet<string>;
}

function checkPosition(context: LintContext, reader: ExpressionReader, { position, isLoose, names }: Subject): void {
  const { pointer, text, style } = position;
  const expression = sourceOf(position);
  if (expression === undefined) {
    const inner = text.indexOf("${");
    if (inner >= 0 && style !== "code") reportInnerWrapper(context, pointer, inner);
    else if (style === "literal" && !isLoose && LOOKS_LIKE_PATH.test(text) && !PATH_LIKE_PLACES.test(pointer)) {
      context.warning("expression-not-wrapped", {
        pointer,
        message: `\`${text}\` is taken as text here.`,
        hint: `To evaluate it, write \`\${ ${text.trim()} }\`.`,
      });
    }
    return;
  }
  const { source, offset } = expression;
  const facts = reader.read(source);
  if (facts.kind === "invalid") {
    const inner = source.indexOf("${");
    if (inner >= 0 && !source.slice(0, inner).includes('"')) reportInnerWrapper(context, pointer, offset + inner);
    else
      context.error("expression-syntax", {
        pointer,
        offset: offset + facts.offset,
        message: `This expression cannot be read: ${facts.message}.`.replace(/\.\.$/, "."),
      });
    return;
  }
  for (const variable of facts.freeVariables) checkVariable(context, position, variable.name, offset + variable.offset);
  const maySecrets = AVAILABLE[position.availability].some((variable) => variable === "secrets");
  for (const read of facts.reads) {
    const [first, second] = read.path;
    const at = { pointer, offset: offset + read.offset };
    if (read.variable === "runtime" && first === "metadata" && second === "outputs") {
      const message = "`$runtime.metadata.outputs` is Tutti's own; other runtimes do not have it.";
      context.note("runtime-outputs", { ...at, message, hint: "With `export` and `$context` the document stays portable." });
      const task = read.path[2];
      if (task !== undefined && task !== ANY && !names.has(task))
        context.warning("unknown-output", {
          ...at,
          message: `There is no task \`${task}\` whose output this could be.`,
          hint: () => didYouMean(task, names),
        });
    }
    if (read.variable === "secrets" && first !== undefined && first !== ANY && maySecrets) checkSecret(context, first, at);
  }
}

function reportInnerWrapper(context: LintContext, pointer: string, offset: number): void {
  context.error("expression-in-text", {
    pointer,
    offset,
    message: "An expression is the whole text or none of it: `${ }` inside of longer text is not evaluated.",
    hint: 'Make the text part of the expression: `${ "text \\(.name) text" }`.',
  });
}

function checkVariable(context: LintContext, position: ExpressionPosition, name: string, offset: number): void {
  const available: readonly string[] = [...AVAILABLE[position.availability], ...position.locals];
  if (available.includes(name) || BUILT_IN.has(name)) return;
  const { pointer } = position;
  if (!STANDARD.includes(name)) {
    const hint = (): string | undefined =>
      didYouMean(name, available) ?? `There are ${available.map((variable) => `\`$${variable}\``).join(", ")}.`;
    context.error("unknown-variable", { pointer, offset, message: `There is no variable \`$${name}\` here.`, hint });
    return;
  }
  context.error("unavailable-variable", {
    pointer,
    offset,
    message: `\`$${name}\` is not available here.`,
    hint: whyUnavailable(name, position.availability),
  });
}

function whyUnavailable(name: string, availability: Availability): string {
  if (name === "secrets")
    return "Secrets are for what is sent to another system (`with`, `authentication`, `environment`), so that they never become data of the run.";
  if (name === "output") return "A task's output can be read in its `export.as` only; in `output.as` it is `.`.";
  if (name === "input") return "The input is what `.` is before a task begins.";
  if (availability === "workflow") return "Before the first task there are `$workflow` and `$runtime`.";
  return `Here there are ${AVAILABLE[availability].map((variable) => `\`$${variable}\``).join(", ")}.`;
}
