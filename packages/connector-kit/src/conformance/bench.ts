import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { EffectClass, Json, JsonObject } from "@tutti/model";
import { Token } from "@tutti/model/schemas";
import { attemptForTests, type RecordingAttempt } from "../attempt-for-tests.ts";
import { checkInput, checkOutput } from "../check-schema.ts";
import { findNotCloneable } from "../cloneable.ts";
import type { Connector, ConnectorFunction } from "../connector.ts";
import { ConnectorError } from "../connector.ts";
import type { EffectPreview } from "../effect-preview.ts";
import type { AttemptProvider } from "../provider.ts";
import { renderUndo } from "../undo.ts";
import type { ConnectorUnderTest, OpenTarget, TargetFault } from "./connector-under-test.ts";

/** What a secret must have to be looked for; shorter texts occur by chance. */
const SECRET_CHARACTERS_MIN = 6;

/** A law does not hold. */
export class LawBroken extends Error {
  override readonly name = "LawBroken";
}

/** @throws LawBroken unless `condition` holds. */
export function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new LawBroken(what);
}

/** A change of the target, as its listing shows it. */
export interface SeenChange {
  readonly kind: "create" | "change" | "delete";
  readonly resource: string;
  readonly name: string;
  readonly after: Json | undefined;
}

/** Everything there is, by resource type and id. */
export type Listing = ReadonlyMap<string, ReadonlyMap<string, Json>>;

/** A call of a function with an input that was made for it. */
export interface Call {
  readonly name: string;
  readonly declared: ConnectorFunction;
  readonly input: JsonObject;
  readonly token: Token;
}

let names = 0;

/** What the laws do with a connector: calls its functions as the runtime would, and looks at what came of it. */
export class Bench {
  readonly connector: Connector;
  readonly under: ConnectorUnderTest;
  readonly #open: OpenTarget[] = [];
  #plain: OpenTarget | undefined;

  constructor(under: ConnectorUnderTest) {
    this.under = under;
    this.connector = under.connector;
  }

  async open(fault: TargetFault): Promise<OpenTarget> {
    const target = await this.under.open(fault);
    this.#open.push(target);
    return target;
  }

  /** The target as it is. */
  async plain(): Promise<OpenTarget> {
    return (this.#plain ??= await this.open({ kind: "none" }));
  }

  async close(): Promise<void> {
    for (const target of this.#open.splice(0)) await target.close();
    this.#plain = undefined;
    await this.under.cleanUp();
  }

  declared(name: string): ConnectorFunction {
    const declared = this.connector.functions[name];
    must(declared !== undefined, `there is a function ${name}`);
    return declared;
  }

  effect({ declared, input }: Pick<Call, "declared" | "input">): EffectClass {
    return typeof declared.effect === "string" ? declared.effect : declared.effect(input);
  }

  /** A call as the function's case makes it, on a target that is ready for it. */
  async prepare(name: string, which: "input" | "refused" = "input"): Promise<Call> {
    const declared = this.declared(name);
    const made = this.under.functions[name]?.[which];
    must(made !== undefined, `the description has a case for ${name}`);
    const input = await made({
      name: freshName(),
      call: async (other, given) => this.run({ name: other, declared: this.declared(other), input: given, token: freshToken() }),
    });
    const problem = checkInput(declared, input);
    must(problem === undefined, `the case's input fits the schema of ${name}: ${problem}`);
    return { name, declared, input, token: freshToken() };
  }

  /** Carries a call out as the runtime does, its end stored, and checks what comes back. */
  async run(call: Call, options: { readonly target?: OpenTarget; readonly number?: number } = {}): Promise<Json> {
    const target = options.target ?? (await this.plain());
    const attempt = this.attempt(call.token, target, options.number ?? 1);
    const output = await this.watched(attempt, () => call.declared.run(copyOf(call.input), attempt));
    this.checkOutput(call, output);
    await attempt.store("completed");
    if (call.declared.settleMs > 0) await pause(call.declared.settleMs);
    return output;
  }

  /** Looks the call up by its token. */
  async find(call: Call, target?: OpenTarget): Promise<Json | undefined> {
    const attempt = this.attempt(call.token, target ?? (await this.plain()), 1);
    must(call.declared.find !== undefined, `${call.name} has find`);
    const found = await this.watched(attempt, async () => call.declared.find?.(copyOf(call.input), attempt));
    if (found !== undefined) this.checkOutput(call, found);
    return found;
  }

  async preview(call: Call): Promise<EffectPreview> {
    const attempt = this.attempt(call.token, await this.plain(), 1);
    const { declared } = call;
    must(declared.preview !== undefined, `${call.name} has a preview`);
    const preview = await this.watched(attempt, async () => declared.preview?.(copyOf(call.input), attempt));
    must(preview !== undefined, `the preview of ${call.name} says something`);
    return preview;
  }

  /** The call that takes `call` back, with the output that it gave. */
  undoOf(call: Call, output: Json): Call {
    const { undo } = call.declared;
    must(undo !== undefined, `${call.name} has an undo`);
    // What the runtime takes out of the arguments before the function sees them.
    const { provider: _, ...input } = renderUndo(undo, { input: call.input, output });
    const declared = this.declared(undo.call);
    const problem = checkInput(declared, input);
    must(problem === undefined, `the arguments of the undo of ${call.name} fit ${undo.call}: ${problem}`);
    return { name: undo.call, declared, input, token: freshToken() };
  }

  async list(target?: OpenTarget): Promise<Listing> {
    const open = target ?? (await this.plain());
    const listing = new Map<string, ReadonlyMap<string, Json>>();
    for (const [type, resource] of Object.entries(this.connector.resources ?? {})) {
      const attempt = this.attempt(freshToken(), open, 1);
      const found = await this.watched(attempt, () => resource.list(attempt));
      for (const each of found) {
        const parsed = resource.schema.safeParse(each);
        must(parsed.success, `what the list of ${type} gives fits its schema: ${JSON.stringify(each)}`);
      }
      const byId = new Map(found.map((each) => [resource.id(each), each]));
      must(byId.size === found.length, `the ids of ${type} are unique`);
      listing.set(type, byId);
    }
    return listing;
  }

  attempt(token: Token, target: OpenTarget, number: number, signal?: AbortSignal): RecordingAttempt {
    const secrets = Object.fromEntries(secretsOf(target.provider).map((secret, index) => [`${index}`, secret]));
    return attemptForTests({ token, number, provider: target.provider, secrets, ...(signal === undefined ? {} : { signal }) });
  }

  /** Does the work and looks for credentials in everything that it says, whatever comes of it. */
  async watched<T>(attempt: RecordingAttempt, work: () => Promise<T>): Promise<T> {
    let said: unknown;
    try {
      const result = await work();
      said = result;
      return result;
    } catch (error) {
      said = textOf(error);
      throw error;
    } finally {
      const everything = JSON.stringify([said, attempt.lines]) ?? "";
      const told = secretsOf(attempt.provider).find((secret) => everything.includes(secret));
      // Above all other failures: whatever the law is about, a secret was told.
      // eslint-disable-next-line no-unsafe-finally
      if (told !== undefined) throw new LawBroken("a secret never appears in an output, an error or a log line");
    }
  }

  checkOutput(call: Call, output: Json): void {
    const problem = findNotCloneable(output);
    must(problem === undefined, `the output of ${call.name} is plain JSON: ${problem}`);
    const misfit = checkOutput(call.declared, output);
    must(misfit === undefined, `the output of ${call.name} fits its schema: ${misfit}`);
  }
}

/** What must be done to come from `before` to `after`, ordered by what is touched. */
export function changesBetween(before: Listing, after: Listing): readonly SeenChange[] {
  const changes: SeenChange[] = [];
  for (const [resource, now] of after) {
    const then = before.get(resource) ?? new Map<string, Json>();
    for (const [name, value] of now) {
      if (!then.has(name)) changes.push({ kind: "create", resource, name, after: value });
      else if (!isDeepStrictEqual(then.get(name), value)) changes.push({ kind: "change", resource, name, after: value });
    }
    for (const name of then.keys()) if (!now.has(name)) changes.push({ kind: "delete", resource, name, after: undefined });
  }
  return changes.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

export function keyOf({ kind, resource, name }: { readonly kind: string; readonly resource: string; readonly name: string }): string {
  return `${kind} ${resource} ${name}`;
}

/** @throws LawBroken naming what differs. */
export function mustBeSame(before: Listing, after: Listing, when: string): void {
  const changes = changesBetween(before, after);
  must(changes.length === 0, `the target is as before ${when}; it differs: ${JSON.stringify(changes)}`);
}

export function freshToken(): Token {
  return Token.parse(`tok_${createHash("sha256").update(freshName()).digest("hex").slice(0, 32)}`);
}

/** Names of one process never repeat, and those of two hardly. */
function freshName(): string {
  names += 1;
  return `t${process.pid.toString(36)}x${Date.now().toString(36)}x${names.toString(36)}`;
}

/** The texts of the credentials that are long enough to be looked for. */
export function secretsOf(provider: AttemptProvider | undefined): readonly string[] {
  const texts: string[] = [];
  const collect = (value: Json): void => {
    if (typeof value === "string" && value.length >= SECRET_CHARACTERS_MIN) texts.push(value);
    else if (typeof value === "object" && value !== null) Object.values(value).forEach(collect);
  };
  collect(provider?.credentials ?? {});
  return texts;
}

/** An error with everything that hangs on it. */
function textOf(error: unknown): string {
  const parts: unknown[] = [];
  for (let each: unknown = error, depth = 0; each !== undefined && depth < 8; depth += 1) {
    parts.push(each instanceof Error ? `${each.name}: ${each.message}` : each);
    if (each instanceof ConnectorError) parts.push(each.detail);
    each = each instanceof Error ? each.cause : undefined;
  }
  return JSON.stringify(parts);
}

/** A function that changes its input would change the run's data. */
function copyOf(input: JsonObject): JsonObject {
  return structuredClone(input);
}
