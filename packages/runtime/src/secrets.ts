import { AppError, type Json, type JsonObject } from "@tutti/model";
import type { Env } from "./env.ts";
import type { Redactor } from "./redactor.ts";

const NO_SECRETS: JsonObject = Object.freeze({});

/** Resolves secrets at dispatch and has their values masked from then on. Values are not kept: a rotated secret counts at once. */
export class SecretBook {
  readonly #env: Env;
  readonly #redactor: Redactor;

  constructor(env: Env, redactor: Redactor) {
    this.#env = env;
    this.#redactor = redactor;
  }

  /**
   * The values by name.
   *
   * @throws AppError `secret-not-found` naming the first that is missing.
   */
  async resolveAll(names: readonly string[]): Promise<JsonObject> {
    if (names.length === 0) return NO_SECRETS;
    const entries: [string, Json][] = [];
    for (const name of names) entries.push([name, await this.resolve(name)]);
    return Object.fromEntries(entries);
  }

  /** Masks a value that a connector derived from a secret. */
  mask(value: Json): void {
    this.#redactor.register(value);
  }

  /** The text with everything masked that is known to be secret. */
  masked(text: string): string {
    return this.#redactor.maskText(text);
  }

  async resolve(name: string): Promise<Json> {
    const value = await this.#env.secret(name);
    if (value === undefined) throw missingSecret(name);
    this.#redactor.register(value);
    return value;
  }
}

/** The message becomes the task's error, so it names the way out itself. */
function missingSecret(name: string): AppError {
  return new AppError(
    "secret-not-found",
    `There is no secret "${name}". Put it into the file secrets/${name} of the data directory (mode 600), then retry.`,
    { details: { secret: name } },
  );
}
