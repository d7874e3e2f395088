import type { Random } from "@tutti/testkit";

/** Random jq programs by the grammar: they parse, and mostly find something to work on. */

const FIELDS = ["a", "b", "c", "id", "name", "items"];
/** Functions of the input alone. Where a text becomes a number 0 is added, since jq 1.7.1 keeps the text of a number that nobody calculates with. */
const NULLARY = (
  "add all any arrays ascii_downcase ascii_upcase booleans combinations? empty explode first flatten floor sqrt objects|to_entries|from_entries " +
  '(fromjson?|if(type=="number")then(.+0)else(.)end) ' +
  "implode? infinite iterables keys keys_unsorted last length max min nan " +
  "normals not null nulls numbers objects paths recurse reverse isnan isinfinite isnormal [.[]?|arrays]|transpose round ceil scalars sort strings to_entries tojson (tonumber+0) tostream " +
  "tostring type unique utf8bytelength values fabs trunc todate fromdate gmtime significand logb error @text " +
  "@json @csv @tsv @html @uri @sh @base64 (strings|@base64|@base64d)"
).split(" ");
const NULLARY_WILD =
  'exp10 from_entries transpose @base64d @base32 trim ltrim rtrim leaf_paths ascii @base32d abs toarray now localtime mktime todate dateadd("seconds"; 10) builtins tojson,tojson have_decnum trimstr("a") $__loc__ frexp modf'.split(
    " ",
  );
/** Functions of one program. */
const UNARY = (
  "all any map select map_values sort_by group_by unique_by min_by max_by with_entries? path paths first last isempty walk recurse " +
  "del to_entries,map try,map error pick has in inside contains index rindex indices startswith endswith ltrimstr rtrimstr split join " +
  "flatten range getpath delpaths limit nth test match capture scan splits strftime strptime @json,map tojson,map " +
  "repeat,limit fromstream? bsearch combinations splits,collect"
).split(" ");

/**
 * Functions of a time; jq 1.7.1 gives parts of a second before 1970, and nan, to other seconds. Years of other than four digits, and what is beyond
 * any calendar (`infinite | todate`), are as the C library has them.
 */
const TIMES = ["todate", "gmtime"];
/** 1000-01-01T00:00:00Z, and the first second of the year 10000. */
const FOUR_DIGIT_YEARS = { from: -30_610_224_000, to: 253_402_300_800 };
const WHOLE_SECONDS = `if type == "number" then (if . >= ${FOUR_DIGIT_YEARS.from} and . < ${FOUR_DIGIT_YEARS.to} then floor else 0 end) else . end`;
/** nan is less than itself, so that the order of several is that of the C library's sorting; it is also all that does not equal itself. */
const NO_NAN = "if any(..; . != .) then null else . end";
/** Functions that sort their input, or by what their argument gives. */
const SORTING = ["sort", "unique"];
const SORTING_BY = ["sort_by", "group_by", "unique_by"];
/** jq 1.7.1 counts bytes where it should count characters. */
const PLAIN_TEXTS = 'select(type != "string" or (explode | all(. < 128)))';

export interface ProgramOptions {
  readonly depth: number;
  /** What jq 1.7 does not have, or leaves to the host: more functions, regular expressions and formats that are computed. */
  readonly isWild: boolean;
}

interface Sight {
  readonly variables: readonly string[];
  readonly functions: readonly string[];
}

/** A program of about `depth` nested parts. */
export function program(random: Random, { depth, isWild }: ProgramOptions): string {
  return new Writer(random, isWild).pipe(depth, { variables: [], functions: [] });
}

class Writer {
  readonly #random: Random;
  readonly #isWild: boolean;

  constructor(random: Random, isWild: boolean) {
    this.#random = random;
    this.#isWild = isWild;
  }

  pipe(depth: number, sight: Sight): string {
    const random = this.#random;
    if (depth <= 0) return this.#leaf(sight);
    switch (random.integer(0, 24)) {
      case 0:
      case 1:
      case 2:
        return `${this.pipe(depth - 1, sight)} | ${this.pipe(depth - 1, sight)}`;
      case 3:
        return `${this.#term(depth - 1, sight)}, ${this.#term(depth - 1, sight)}`;
      case 4:
      case 5: {
        const operator = random.pick(["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "and", "or", "//"]);
        const left = this.#term(depth - 1, sight);
        return `${left} ${operator} ${this.#term(depth - 1, sight)}`;
      }
      case 6:
        return `if ${this.pipe(depth - 1, sight)} then ${this.pipe(depth - 1, sight)}${random.chance(0.7) ? ` else ${this.pipe(depth - 1, sight)}` : ""} end`;
      case 7:
        return `try ${this.#term(depth - 1, sight)}${random.chance(0.7) ? ` catch ${this.#handler(depth - 1, sight)}` : ""}`;
      case 8: {
        const name = `$v${sight.variables.length}`;
        const inner = { ...sight, variables: [...sight.variables, name] };
        const pattern = random.pick([name, `[${name}]`, `{a: ${name}}`, `{${name}}`, `[$x, ${name}]`, `{"b": [${name}]}`]);
        return `${this.#term(depth - 1, sight)} as ${pattern} | ${this.pipe(depth - 1, inner)}`;
      }
      case 9: {
        const inner = { ...sight, variables: [...sight.variables, "$acc"] };
        return `reduce ${this.#term(depth - 1, sight)} as $acc (${this.#start(sight)}; ${this.pipe(depth - 1, inner)})`;
      }
      case 10: {
        const inner = { ...sight, variables: [...sight.variables, "$step"] };
        const extract = random.chance(0.5) ? `; ${this.pipe(depth - 1, inner)}` : "";
        return `foreach ${this.#term(depth - 1, sight)} as $step (${this.#start(sight)}; ${this.pipe(depth - 1, inner)}${extract})`;
      }
      case 11: {
        const operator = random.pick(["=", "|=", "+=", "-=", "*=", "//="]);
        return `${this.#path(depth - 1, sight)} ${operator} ${this.#term(depth - 1, sight)}`;
      }
      case 12: {
        const name = `f${sight.functions.length}`;
        const parameter = random.pick(["", "(g)", "($p)"]);
        const inside: Sight = {
          variables: parameter === "($p)" ? [...sight.variables, "$p"] : sight.variables,
          functions: parameter === "" ? sight.functions : [...sight.functions, parameter === "(g)" ? "g" : "p"],
        };
        const call = parameter === "" ? name : `${name}(${this.pipe(depth - 2, sight)})`;
        return `def ${name}${parameter}: ${this.pipe(depth - 1, inside)}; ${call} | ${this.pipe(depth - 2, { ...sight, functions: [...sight.functions, ...(parameter === "" ? [name] : [])] })}`;
      }
      case 13:
        return `label $out | ${this.pipe(depth - 1, sight)}${random.chance(0.5) ? ", break $out" : ""}`;
      case 14:
        return `"${random.pick(["", "x ", "é"])}\\(${this.pipe(depth - 1, sight)})${random.pick(["", "y"])}"`;
      case 15:
      case 16:
        return this.#object(depth - 1, sight);
      case 17:
        return `[${this.pipe(depth - 1, sight)}]`;
      case 18:
        return this.#path(depth, sight);
      case 19:
        return `-${this.#term(depth - 1, sight)}`;
      default:
        return this.#call(depth - 1, sight);
    }
  }

  #term(depth: number, sight: Sight): string {
    return depth <= 0 ? this.#leaf(sight) : `(${this.pipe(depth, sight)})`;
  }

  /** Where a loop begins: one value, since jq 1.7 forgets its input with the second. */
  #start(sight: Sight): string {
    return this.#isWild ? this.#leaf(sight) : this.#random.pick([".", "null", "0", "[]", "{}", '""', "1", "[.]"]);
  }

  /** Sees the message of an error only where nobody compares it: the words are everybody's own. */
  #handler(depth: number, sight: Sight): string {
    const handler = this.#term(depth, sight);
    return this.#isWild ? handler : `((if type == "string" then "error" else . end) | ${handler})`;
  }

  #object(depth: number, sight: Sight): string {
    const random = this.#random;
    const entries = Array.from({ length: random.integer(0, 3) }, () => {
      const key = random.pick(FIELDS);
      return random.pick([
        key,
        `${key}: ${this.#term(depth, sight)}`,
        `"${key}": ${this.#term(depth, sight)}`,
        `(${this.#isWild ? "" : '"k" + '}(${this.#leaf(sight)} | tostring)): 1`,
      ]);
    });
    return `{${entries.join(", ")}}`;
  }

  #path(depth: number, sight: Sight): string {
    const random = this.#random;
    let path = random.pick([".", "..", `.${random.pick(FIELDS)}`, ".[]", ".[0]"]);
    for (let steps = random.integer(0, 2); steps > 0; steps--) {
      const step = random.pick([
        `.${random.pick(FIELDS)}`,
        "[]",
        `[${random.integer(-2, 3)}]`,
        `[${random.integer(-2, 2)}:${random.integer(-1, 4)}]`,
        `["${random.pick(FIELDS)}"]`,
        depth > 0 ? `[${this.pipe(depth - 1, sight)}]` : "[0]",
      ]);
      path =
        path === "." && step.startsWith(".")
          ? step
          : path === ".."
            ? `${path} | ${step.startsWith("[") ? `.${step}` : step}`
            : `${path}${step}`;
      if (random.chance(0.4)) path += "?";
    }
    if (random.chance(0.1)) path = `first(${path})`;
    if (random.chance(0.1)) path = `${path} | select(${this.#leaf(sight)})`;
    return path.includes("|") ? `(${path})` : path;
  }

  #call(depth: number, sight: Sight): string {
    const random = this.#random;
    if (sight.functions.length > 0 && random.chance(0.3)) return random.pick(sight.functions).replace(/^p$/, "$p");
    if (random.chance(0.4)) {
      const name = random.pick(this.#isWild && random.chance(0.2) ? NULLARY_WILD : NULLARY);
      if (TIMES.includes(name) && !this.#isWild) return `(${WHOLE_SECONDS} | ${name})`;
      if (SORTING.includes(name) && !this.#isWild) return `(${NO_NAN} | ${name})`;
      return name.includes("|") ? `(${name})` : name;
    }
    const name = random.pick(UNARY);
    const inner = (): string => this.pipe(depth, sight);
    if (SORTING_BY.includes(name) && !this.#isWild) return `${name}((${inner()}) | ${NO_NAN})`;
    switch (name) {
      case "range":
        return random.pick([
          `range(${random.integer(0, 6)})`,
          `range(${random.integer(-2, 2)}; ${random.integer(0, 6)})`,
          `range(0; 1; 0.3)`,
        ]);
      case "limit":
        return `limit(${random.integer(0, 4)}; ${inner()})`;
      case "nth":
        return `nth(${random.integer(0, 3)}; ${inner()})`;
      case "repeat,limit":
        return `[limit(${random.integer(0, 5)}; ${random.pick(["repeat", "recurse"])}(${this.#leaf(sight)}))]`;
      case "to_entries,map":
        return `(to_entries? // [] | map(${inner()}))`;
      case "try,map":
        return `[.[]? | ${inner()}]`;
      case "@json,map":
        return `${random.pick(["@json", "@text", "@html", "@uri", "@base64"])} "a\\(${inner()})b"`;
      case "tojson,map":
        return `(${inner()} | tojson | fromjson)`;
      case "getpath":
        return `getpath(${random.pick(['["a"]', '["a", 0]', "[0, 1]", '["a", "b", "c"]', "[]", `[${inner()}]`])})`;
      case "index":
      case "rindex":
      case "indices":
        return `${this.#isWild ? "" : `${PLAIN_TEXTS} | `}${name}(${inner()})`;
      case "flatten":
        return `flatten(${this.#isWild ? inner() : random.pick(["0", "1", "2"])})`;
      case "with_entries?":
        return this.#isWild ? `with_entries(${inner()})?` : `(objects | with_entries(.value |= ${this.#term(depth, sight)}))`;
      case "fromstream?":
        return this.#isWild
          ? `fromstream(${inner()})`
          : random.pick(["fromstream(tostream)", "[fromstream(1 | truncate_stream(tostream))]"]);
      case "delpaths":
        return `delpaths([[${random.pick(['"a"', "0", '"b", 0', ""])}]])`;
      case "del":
      case "path":
      case "paths":
        return `${name}(${name === "paths" ? this.#leaf(sight) : this.#path(depth - 1, sight)})`;
      case "pick":
        return `pick(${random.pick([".a", ".a.b", ".[0]", "first", ".items[1].id"])})`;
      case "splits,collect":
        return `[splits(${this.#regex()})]`;
      case "test":
      case "match":
      case "capture":
      case "scan":
      case "splits":
        if (!this.#isWild && name !== "test") return `[${name}(${this.#regex()})]`;
        return `${name}(${random.chance(0.8) ? this.#regex() : inner()}${random.chance(0.3) ? `; ${random.pick(['"g"', '"gi"', '"x"', "null"])}` : ""})`;
      case "strftime":
      case "strptime":
        return `${this.#isWild ? "" : `${WHOLE_SECONDS} | `}${name}(${random.pick(['"%Y-%m-%dT%H:%M:%SZ"', '"%A %B %d %Y"', '"%j %U %w"', '"%H:%M"', ...(name === "strftime" || this.#isWild ? ['"%s"'] : []), ...(this.#isWild ? [inner()] : [])])})`;
      case "combinations":
        return `[limit(10; combinations(${random.integer(0, 3)}))]`;
      default:
        return name.includes("?") ? `${name.slice(0, -1)}(${inner()})?` : `${name}(${inner()})`;
    }
  }

  #regex(): string {
    return this.#random.pick([
      '"a"',
      '"[a-c]+"',
      this.#isWild ? '"(?<x>a)(?<n>b)?"' : '"(?<x>a)b?"',
      '"^."',
      '", *"',
      '"(?i)X"',
      this.#isWild ? '""' : '"b?c"',
      '"\\\\d+"',
      '"\\\\."',
      '"a|b"',
      this.#isWild ? '"(a)(b)?"' : '"(a)b?"',
      '"."',
    ]);
  }

  #leaf(sight: Sight): string {
    const random = this.#random;
    const kind = random.integer(0, 11);
    if (kind <= 2) return ".";
    if (kind <= 4) return `.${random.pick(FIELDS)}`;
    if (kind === 5 && sight.variables.length > 0) return random.pick(sight.variables);
    if (kind === 6) return random.pick(["null", "true", "false", "[]", "{}", "empty", "1", "0", "-1", "2", "0.5", "100", "10"]);
    if (kind === 7) return random.pick(['"a"', '"abc"', '""', '"1"', '"a,b"', '"é"', '"b"']);
    if (kind === 8) return random.pick([".[]", ".[]?", "..", ".[0]", ".[-1]", ".[1:]", ".a?", ".a.b", ".[0]?"]);
    if (kind === 9) return `[${random.integer(0, 9)}, ${random.pick(["1", '"a"', "null", "[2]", '{"a": 1}'])}]`;
    return random.pick([
      "length",
      "keys",
      "type",
      "tostring",
      "not",
      "add",
      "first",
      "last",
      "tojson",
      this.#isWild ? "sort" : `(${NO_NAN} | sort)`,
      "to_entries",
      "map(.)",
      "values",
    ]);
  }
}
