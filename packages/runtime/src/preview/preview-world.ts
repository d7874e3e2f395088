import { type AttemptProvider, checkInput, checkOutput, ConnectorError, type EffectPreview } from "@tutti/connector-kit";
import type { CallAhead, CallForeseen, ForeseenEffect, World } from "@tutti/engine";
import { isJsonObject, type Json, type JsonObject, partlyUnknown, unknownIn, unknownValue } from "@tutti/model";
import { errorOf } from "../attempt-outcome.ts";
import type { Env } from "../env.ts";
import type { FunctionEntry, FunctionTable } from "../function-table.ts";
import { checkValue } from "../output-check.ts";
import type { ProgramCache } from "../program-cache.ts";
import type { ProviderBook } from "../provider-book.ts";
import type { Redactor } from "../redactor.ts";
import type { SecretBook } from "../secrets.ts";
import { PreviewAttempt } from "./preview-attempt.ts";

/** What stands for a secret where arguments are shown. */
const SECRET_SHOWN = "***";

export interface PreviewWorldDeps {
  readonly env: Env;
  readonly functions: FunctionTable;
  readonly secrets: SecretBook;
  readonly providers: ProviderBook;
  readonly programs: ProgramCache;
  readonly redactor: Redactor;
}

/** The real world, asked and not touched: connectors say what calls would do, and what only reads is read. Each call is asked about once. */
export class PreviewWorld implements World {
  readonly #deps: PreviewWorldDeps;
  readonly #baseDirectory: string | undefined;
  readonly #known = new Map<string, Promise<CallForeseen>>();

  constructor(deps: PreviewWorldDeps, baseDirectory: string | undefined) {
    this.#deps = deps;
    this.#baseDirectory = baseDirectory;
  }

  async child(workflow: { readonly namespace: string; readonly name: string; readonly version: string }) {
    const found = await this.#deps.programs.find(workflow.namespace, workflow.name, workflow.version);
    return found === undefined ? undefined : { context: found.context, workflow: found.definition };
  }

  foresee(call: CallAhead): Promise<CallForeseen> {
    const { command, program, isUndisturbed } = call;
    let whole: JsonObject;
    try {
      whole = command.renderInput(Object.fromEntries(program.secrets.map((name) => [name, SECRET_SHOWN])));
    } catch (error) {
      if (!command.needsSecrets) return Promise.resolve(this.#failed({}, error));
      // What stands for a secret is no base64, no URL, no number.
      const output = unknownValue(`the output of ${command.path}`);
      const reason = "its arguments can't be made without the values of secrets";
      return Promise.resolve({ input: {}, effects: undefined, outcome: { kind: "completed", output }, wasRead: false, reason });
    }
    const key = JSON.stringify([command.token, command.attempt, isUndisturbed, whole]);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const foreseen = this.#foresee(call, this.#deps.functions.get(command.function), whole);
    this.#known.set(key, foreseen);
    return foreseen;
  }

  async #foresee(call: CallAhead, entry: FunctionEntry, whole: JsonObject): Promise<CallForeseen> {
    const { provider: named, ...rest } = whole;
    const input = entry.takesProvider ? rest : whole;
    const bare: Shown = {
      entry,
      input: this.#deps.redactor.maskJson(input) as JsonObject,
      output: unknownValue(`the output of ${call.command.path}`),
      provider: undefined,
    };
    let shown = bare;
    try {
      // That there is none is said also where the rest is not known yet.
      if (entry.takesProvider && unknownIn(named) === undefined)
        shown = { ...bare, provider: await this.#deps.providers.forCall(entry.connector, named) };
      const isRead = call.command.effect === "read";
      const reason = this.#reasonNotToAsk(call, entry, whole);
      if (reason !== undefined) return notSaid(shown, reason);
      const problem = checkInput(entry.declared, input);
      if (problem !== undefined)
        throw new ConnectorError(`The arguments of ${entry.name} do not fit: ${problem}`, { kind: "validation", outcome: "never-began" });
      const real = await this.#withSecrets(call, entry, input);
      return isRead ? await this.#read(call, shown, real) : await this.#ask(call, shown, real);
    } catch (error) {
      return this.#failedOrOpen(call, shown, error);
    }
  }

  #reasonNotToAsk({ command, isUndisturbed }: CallAhead, entry: FunctionEntry, whole: JsonObject): string | undefined {
    const unknown = unknownIn(whole);
    if (unknown !== undefined) return `depends on ${unknown}`;
    if (command.effect !== "read") return undefined;
    if (this.#deps.functions.describe(entry.name, whole)?.effect !== "read")
      return "that it only reads is what the workflow's author says: it is not carried out for a preview";
    return isUndisturbed ? undefined : "what it finds may depend on what happens before or beside it";
  }

  async #withSecrets({ command, program }: CallAhead, entry: FunctionEntry, shown: JsonObject): Promise<JsonObject> {
    if (!command.needsSecrets) return shown;
    const whole = command.renderInput(await this.#deps.secrets.resolveAll(program.secrets));
    const { provider: _provider, ...rest } = whole;
    return entry.takesProvider ? rest : whole;
  }

  /** Carries out what only reads. */
  async #read(call: CallAhead, shown: Shown, input: JsonObject): Promise<CallForeseen> {
    const { declared, name } = shown.entry;
    const attempt = this.#attempt(call, shown.provider);
    const checked = checkValue(await attempt.within(this.#deps.env, () => declared.run(input, attempt)));
    if (checked.kind !== "plain")
      throw new ConnectorError(`The output of ${name} is refused: ${checked.why}.`, { kind: "runtime", outcome: "answered" });
    const problem = checkOutput(declared, checked.value);
    if (problem !== undefined)
      throw new ConnectorError(`The output of ${name} does not fit its schema: ${problem}`, { kind: "validation", outcome: "answered" });
    const output = this.#deps.redactor.maskJson(checked.value);
    return { ...base(shown), effects: [], outcome: { kind: "completed", output }, wasRead: true };
  }

  /** Asks the connector what the call would do. */
  async #ask(call: CallAhead, shown: Shown, input: JsonObject): Promise<CallForeseen> {
    const { declared, name } = shown.entry;
    if (declared.preview === undefined) return notSaid(shown, `${name} can't say before what it would do`);
    const attempt = this.#attempt(call, shown.provider);
    const said = await attempt.within(this.#deps.env, async () => declared.preview?.(input, attempt));
    const checked = checkValue(said);
    if (checked.kind !== "plain") return notSaid(shown, `what ${name} says before is refused: ${checked.why}`);
    const { effects, output } = this.#deps.redactor.maskJson(checked.value) as unknown as EffectPreview;
    return {
      ...base(shown),
      effects,
      outcome: { kind: "completed", output: withUnknownRest(output, `the output of ${call.command.path}`) },
      wasRead: false,
    };
  }

  #attempt(call: CallAhead, provider: AttemptProvider | undefined): PreviewAttempt {
    return new PreviewAttempt(call, { provider, baseDirectory: this.#baseDirectory, secrets: this.#deps.secrets });
  }

  /** A complete refusal of what nothing before it can have changed is what the run would meet; anything else leaves the question open. */
  #failedOrOpen(call: CallAhead, shown: Shown, error: unknown): CallForeseen {
    const isKnown = error instanceof ConnectorError && error.outcome !== "unknown";
    const isSure = isKnown && (call.isUndisturbed || error.errorKind === "configuration" || error.errorKind === "validation");
    if (isSure) return this.#failed(shown.input, error, call.command.effect === "read");
    return notSaid(shown, `asked now it says: ${errorOf(error, this.#deps.redactor).title}`);
  }

  #failed(input: JsonObject, error: unknown, wasRead = false): CallForeseen {
    return { input, effects: [], outcome: { kind: "failed", error: errorOf(error, this.#deps.redactor) }, wasRead };
  }
}

interface Shown {
  readonly entry: FunctionEntry;
  readonly input: JsonObject;
  readonly output: Json;
  readonly provider: AttemptProvider | undefined;
}

function base({ input, provider }: Shown): Pick<CallForeseen, "input" | "provider"> {
  return { input, ...(provider !== undefined && { provider: provider.name }) };
}

/** What is declared of a call of which nothing more can be said. */
function notSaid(shown: Shown, reason: string): CallForeseen {
  return {
    ...base(shown),
    effects: shown.entry.declared.effect === "read" ? [] : declaredEffects(shown.entry),
    outcome: { kind: "completed", output: shown.output },
    wasRead: false,
    reason,
  };
}

function declaredEffects({ declared }: FunctionEntry): readonly ForeseenEffect[] | undefined {
  const isReversible = declared.undo !== undefined;
  const of = (kind: ForeseenEffect["kind"], resource: string | undefined): readonly ForeseenEffect[] =>
    resource === undefined ? [] : [{ kind, resource, isReversible }];
  const effects = [...of("create", declared.creates), ...of("change", declared.changes), ...of("delete", declared.deletes)];
  return effects.length === 0 ? undefined : effects;
}

function withUnknownRest(output: Json | undefined, of: string): Json {
  if (output === undefined) return unknownValue(of);
  return isJsonObject(output) ? partlyUnknown(output, of) : output;
}
