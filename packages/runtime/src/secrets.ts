import { ConnectorError } from "@tutti/connector-kit";
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

/**
 * A secret for a function that asks for it by name.
 *
 * @throws ConnectorError `authorization`, never-began: the workflow does not name it in `use.secrets`, or there is none.
 */
export async function secretFor(secrets: SecretBook, named: readonly string[], name: string): Promise<Json> {
  if (!named.includes(name))
    throw new ConnectorError(`The workflow may not use the secret "${name}": name it in use.secrets.`, {
      kind: "authorization",
      outcome: "never-began",
    });
  try {
    return await secrets.resolve(name);
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    throw new ConnectorError(cause.message, { kind: "authorization", outcome: "never-began", cause });
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
