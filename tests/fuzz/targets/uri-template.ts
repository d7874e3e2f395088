import { compileUri, isUriTemplate } from "@tutti/definition";
import { expandUri } from "@tutti/engine";
import type { Json } from "@tutti/model";
import type { Random } from "@tutti/testkit";
import { json, text } from "../generate/json.ts";
import { mutateText, textOf } from "../generate/text.ts";
import { broken, type Target, type Verdict } from "../target.ts";

interface Input {
  readonly [key: string]: Json;
  readonly template: string;
  readonly values: Json;
}

const LITERALS = ["https://example.com/", "/", "a", "?x=", "&y=", "%41", "é", ".", "~", ":8080", "#f"];
const NAMES = ["a", "b", "id", "name", "_x", "A9", "constructor", "__proto__"];
const WORDS = ["{", "}", "{}", "{+a}", "{a*}", "{a:3}", "{a,b}", "%", "%zz", "${", " "];

export const uriTemplate: Target<Input> = {
  name: "uri-template",
  law: "names are replaced as RFC 6570's simple expansion has it, and can be read back; everything else stays; what the schema calls right has no other braces",
  control: "spaces become plus signs",
  make: (random) => ({ template: template(random), values: values(random) }),
  open: async (isSabotaged) => ({ check: (input) => check(input, isSabotaged ? (uri) => uri.replaceAll("%20", "+") : (uri) => uri) }),
};

function template(random: Random): string {
  const parts = Array.from({ length: random.integer(0, 6) }, () =>
    random.chance(0.5) ? random.pick(LITERALS) : `{${random.pick(NAMES)}}`,
  );
  const whole = parts.join("");
  return random.chance(0.3) ? mutateText(whole, random, WORDS) : whole;
}

function values(random: Random): Json {
  if (random.chance(0.05)) return json(random, { isNasty: true, depth: 1 });
  return Object.fromEntries(
    NAMES.filter(() => random.chance(0.8)).map((name): [string, Json] => [
      name,
      random.chance(0.7) ? anyText(random) : json(random, { isNasty: true, depth: random.chance(0.1) ? 1 : 0 }),
    ]),
  );
}

function anyText(random: Random): string {
  if (random.chance(0.3)) return text(random, true);
  return textOf(random, Array.from("aZ09-._~!*'();:@&=+$,/?#[]%{}\" \n\u0000é€").concat(["😀", "\ud800", "\udfff"]), 8);
}

function check({ template, values }: Input, change: (uri: string) => string): Verdict {
  // What begins and ends like an expression is one, and the expression target's business.
  if (template.includes("${")) return undefined;
  const compiled = compileUri(template, []);
  if (compiled.kind !== "uri" && compiled.kind !== "literal") return undefined;
  const expected = expandSlowly(template, values);
  let uri: string | undefined;
  try {
    uri = compiled.kind === "literal" ? textOfScalar(compiled.value) : change(expandUri(compiled.literals, compiled.names, values));
  } catch (error) {
    // The engine's own failure of a task, with the error that the workflow sees.
    if (!(error instanceof Error && "error" in error)) throw error;
  }
  if (uri !== expected) return broken("another URI", `expected ${JSON.stringify(expected)}, got ${JSON.stringify(uri)}`);
  if (isUriTemplate(template) && /^[^{}]*(?:\{[a-z_][a-z0-9_]*\}[^{}]*)*$/i.test(template) && uri !== undefined && /[{}]/.test(uri))
    return broken("braces are left", uri);
  return undefined;
}

/** Byte by byte; undefined when a value is no scalar. */
function expandSlowly(template: string, values: Json): string | undefined {
  let isRefused = false;
  const uri = template.replaceAll(/\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
    const isObject = typeof values === "object" && values !== null && !Array.isArray(values);
    const value: unknown = isObject ? Object.getOwnPropertyDescriptor(values, name)?.value : undefined;
    if (typeof value === "object" && value !== null) {
      isRefused = true;
      return "";
    }
    if (value === undefined || value === null) return "";
    return [...Buffer.from(textOfScalar(value), "utf8")]
      .map((byte) =>
        /[A-Za-z0-9\-._~]/.test(String.fromCharCode(byte))
          ? String.fromCharCode(byte)
          : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
      )
      .join("");
  });
  return isRefused ? undefined : uri;
}

function textOfScalar(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
