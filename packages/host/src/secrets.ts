import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { AppError, type Json } from "@tutti/model";
import { decodeText } from "./read-text.ts";

/** A secret is a credential or a small document of them; anything larger is a mistake. */
const SECRET_BYTES_MAX = 1024 * 1024;
/** Names go into file names and environment variables: nothing in them may lead out of the directory. */
const SECRET_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const ENVIRONMENT_PREFIX = "TUTTI_SECRET_";

/**
 * Finds secrets where the operator put them: environment `TUTTI_SECRET_<NAME>` (as written, or in upper case with `_` for other characters), else the
 * file `<data>/secrets/<name>`. Read anew each time, so a changed file counts from the next attempt on.
 *
 * @returns the value, or undefined when there is none.
 * @throws AppError `secret-not-found` when the file is there but open to others: such a secret is none.
 */
export async function readSecret(
  name: string,
  from: { readonly directory: string; readonly environment: Readonly<Record<string, string | undefined>> },
): Promise<Json | undefined> {
  if (!SECRET_NAME.test(name)) return undefined;
  const fromEnvironment =
    from.environment[ENVIRONMENT_PREFIX + name] ?? from.environment[ENVIRONMENT_PREFIX + name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")];
  if (fromEnvironment !== undefined) return parseSecret(fromEnvironment);
  const text = await readSecretFile(join(from.directory, name));
  return text === undefined ? undefined : parseSecret(text);
}

/** All secrets that `readSecret` would find, without names. One that can't be read is left out: it is refused when a workflow asks for it. */
export async function readAllSecrets(from: {
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}): Promise<readonly Json[]> {
  const values: Json[] = [];
  for (const [name, text] of Object.entries(from.environment)) {
    if (name.startsWith(ENVIRONMENT_PREFIX) && text !== undefined) values.push(parseSecret(text));
  }
  for (const name of await readdir(from.directory).catch(() => [])) {
    if (!SECRET_NAME.test(name)) continue;
    const text = await readSecretFile(join(from.directory, name)).catch(() => undefined);
    if (text !== undefined) values.push(parseSecret(text));
  }
  return values;
}

/** A JSON object, array or quoted string is taken as JSON; any other text as it is, so that a password of digits stays a string. */
export function parseSecret(text: string): Json {
  const trimmed = text.trim();
  if (/^[[{"]/.test(trimmed)) {
    try {
      return JSON.parse(trimmed) as Json;
    } catch {
      // A password may begin with a bracket.
    }
  }
  // Editors and `echo` end a file with a line break that belongs to no password.
  return text.replace(/\r?\n$/, "");
}

async function readSecretFile(path: string): Promise<string | undefined> {
  let file;
  try {
    file = await open(path, "r");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new AppError("secret-not-found", `The secret file ${path} cannot be read.`, { cause, details: { path } });
  }
  try {
    // Asked of the open file: a file changed in between is never read with another's permissions.
    const found = await file.stat();
    if ((found.mode & 0o077) !== 0) {
      const mode = (found.mode & 0o777).toString(8).padStart(4, "0");
      throw new AppError("secret-not-found", `The secret file ${path} is open to other users (mode ${mode}), so it is not used.`, {
        details: { path, mode },
        hint: `Close it: chmod 600 ${path}`,
      });
    }
    if (found.size > SECRET_BYTES_MAX) {
      throw new AppError("limit-exceeded", `The secret file ${path} has ${found.size} bytes; the limit is ${SECRET_BYTES_MAX}.`, {
        details: { path },
      });
    }
    return decodeText(await file.readFile(), path);
  } finally {
    await file.close();
  }
}
