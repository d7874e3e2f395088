import fc from "fast-check";
import type { Json } from "@tutti/model";
import { describe, expect, test } from "vitest";
import { compile } from "./index.ts";

// The same cases in every check: a change is judged by what it changed. SEED=… looks elsewhere.
fc.configureGlobal({ seed: Number(process.env["SEED"] ?? 20_261_122) });

const first = (source: string, input: Json): Json => compile(source, { variables: [] }).first(input, []) as Json;
const json = (): fc.Arbitrary<Json> => fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>;
// One of each kind: one to four bytes of UTF-8, above the surrogates, controls, what JSON escapes.
const awkwardText = (): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom("a", "é", "€", "\uffff", "😀", "\u0000", "\u007f", '"', "\\") });
/** As stored and sent: prototypes and -0 do not count. */
const text = (value: Json): string => JSON.stringify(value);

describe("laws", () => {
  test("fromjson undoes tojson", () => {
    fc.assert(fc.property(json(), (value) => void expect(text(first("tojson | fromjson", value))).toBe(text(value))));
  });

  test("tojson agrees with every other JSON reader", () => {
    fc.assert(fc.property(json(), (value) => void expect(text(JSON.parse(first("tojson", value) as string) as Json)).toBe(text(value))));
  });

  test("strings survive JSON and are ordered by code point", () => {
    fc.assert(
      fc.property(awkwardText(), awkwardText(), (a, b) => {
        expect(first("tojson | fromjson", a)).toBe(a);
        expect(first("(.[0] < .[1]) == ((.[0] | explode) < (.[1] | explode))", [a, b])).toBe(true);
      }),
    );
  });

  test("numbers read back as the same double", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => void expect(Number(first("tojson", value))).toBe(value)),
    );
  });

  test("the order is total: exactly one of <, == and > holds", () => {
    fc.assert(
      fc.property(
        json(),
        json(),
        (a, b) => void expect(first("[.[0] < .[1], .[0] == .[1], .[0] > .[1]] | map(select(.)) | length", [a, b])).toBe(1),
      ),
    );
  });

  test("the order is transitive", () => {
    fc.assert(
      fc.property(
        json(),
        json(),
        json(),
        (a, b, c) => void expect(first("if .[0] <= .[1] and .[1] <= .[2] then .[0] <= .[2] else true end", [a, b, c])).toBe(true),
      ),
    );
  });

  test("sorting sorts, keeps everything, and unique is sorted without duplicates", () => {
    fc.assert(
      fc.property(fc.array(json()), (values) => {
        expect(first("sort as $s | all(range(1; $s | length); $s[. - 1] <= $s[.]) and ($s | length) == length", values)).toBe(true);
        expect(first("unique == (sort | group_by(.) | map(.[0]))", values)).toBe(true);
      }),
    );
  });

  test("what is set at a path is found there, and setting what is there changes nothing", () => {
    fc.assert(
      fc.property(json(), json(), (value, replacement) => {
        expect(first(". as [$v, $r] | $v | all(paths; . as $p | ($v | setpath($p; $r) | getpath($p)) == $r)", [value, replacement])).toBe(
          true,
        );
        expect(first(". as $v | all(paths; . as $p | ($v | setpath($p; getpath($p))) == $v)", value)).toBe(true);
      }),
    );
  });

  test("deleting all leaves in any order leaves the same, and no leaf stays", () => {
    fc.assert(
      fc.property(json(), (value) => {
        expect(first('[paths(type != "array" and type != "object")] as $p | delpaths($p) == delpaths($p | reverse)', value)).toBe(true);
        expect(first('delpaths([paths(type != "array" and type != "object")]) | [leaf_paths] | length', [value])).toBe(0);
      }),
    );
  });

  test("a stream of events makes the value again", () => {
    fc.assert(fc.property(json(), (value) => void expect(first("(fromstream(tostream)) == .", value)).toBe(true)));
  });

  test("encodings undo each other", () => {
    fc.assert(
      fc.property(awkwardText(), (text) => {
        expect(first("[@base64 | @base64d] + [@base32 | @base32d] + [explode | implode]", text)).toEqual([text, text, text]);
      }),
    );
  });
});
