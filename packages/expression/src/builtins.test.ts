import type { Json } from "@tutti/model";
import { describe, expect, test } from "vitest";
import { compile } from "./index.ts";

const all = (source: string, input: Json = null): Json[] => compile(source, { variables: [] }).all(input, []);

/** Behaviour that jq's own suite leaves open or has in few cases: source, input, outputs. */
const CASES: readonly (readonly [string, Json, readonly Json[]])[] = [
  // Order of evaluation.
  ["[(1,2) + (10,20)]", null, [[11, 12, 21, 22]]],
  [
    "[{a: (1,2), b: (3,4)} | [.a, .b]]",
    null,
    [
      [
        [1, 3],
        [1, 4],
        [2, 3],
        [2, 4],
      ],
    ],
  ],
  ["[pow(2,3; 1,2)]", null, [[2, 3, 4, 9]]],
  ['["\\(1,2)-\\(3,4)"]', null, [["1-3", "2-3", "1-4", "2-4"]]],
  [
    "[.[0,1][0,1]]",
    [
      [1, 2],
      [3, 4],
    ],
    [[1, 3, 2, 4]],
  ],
  ["[[1,2,3] | .[(0,1):(2,3)]]", null, [[[1, 2], [1, 2, 3], [2], [2, 3]]]],
  // Backtracking and errors.
  ["[.[] as [$a] ?// $a | $a]", [[1], 2], [[1, 2]]],
  ["[.[] | (1 / .)?]", [1, 0, 2], [[1, 0.5]]],
  ["[(1, null, 2) // 3]", null, [[1, 2]]],
  ["[(null, false) // (3, 4)]", null, [[3, 4]]],
  // An error of `a` in `a // b` is the error of both, unless what comes before it is enough.
  ['try ([(1, error("x")) // 3]) catch .', null, ["x"]],
  ['try (error("x") // 3) catch .', null, ["x"]],
  ['try ([(null, error("x")) // 3]) catch .', null, ["x"]],
  ['try path(error("x") // .a) catch .', null, ["x"]],
  ['[(error("x"))? // 3], [limit(1; (1, error("x")) // 3)]', null, [[3], [1]]],
  ['try (.a // 3) catch "no object"', 1, ["no object"]],
  [".a?//2", 1, [2]],
  ["try error(null) catch .", 1, [null]],
  ["[foreach range(5) as $x (0; if $x == 2 then empty else . + $x end)]", null, [[0, 1, 3, 7]]],
  ["reduce range(5) as $x (0; if $x == 2 then empty else . + $x end)", null, [7]],
  ["[label $a | label $b | 1, break $a, 2]", null, [[1]]],
  ["[range(3) as $x | label $l | ($x, if $x == 1 then break $l else . end, 9)]", 5, [[0, 5, 9, 1, 2, 5, 9]]],
  ["def f(g): [g, g]; f((1, 2) as $y | $y, $y)", null, [[1, 1, 2, 2, 1, 1, 2, 2]]],
  ["def f(g): g | g; [f((1, 2) as $y | (., .) + $y)]", 0, [[2, 2, 3, 3, 2, 2, 3, 3, 3, 3, 4, 4, 3, 3, 4, 4]]],
  ["def fib: if . < 2 then . else (. - 1 | fib) + (. - 2 | fib) end; [range(10) | fib]", null, [[0, 1, 1, 2, 3, 5, 8, 13, 21, 34]]],
  // Paths and assignment.
  ['[paths(type == "number")]', [1, [2]], [[[0], [1, 0]]]],
  [".a.b |= empty", {}, [{}]],
  [
    "(.a, .b) = (1, 2)",
    {},
    [
      { a: 1, b: 1 },
      { a: 2, b: 2 },
    ],
  ],
  [".[] += 1", { a: 1, b: 2 }, [{ a: 2, b: 3 }]],
  [".a //= 3 | .b //= 4", { a: false, b: 1 }, [{ a: 3, b: 1 }]],
  ["to_entries", { a: 1 }, [[{ key: "a", value: 1 }]]],
  ["to_entries", ["x"], [[{ key: 0, value: "x" }]]],
  [
    "from_entries",
    [{ key: false, value: 1 }, { name: "n", v: 2 }, { K: 3, Value: 4 }, { key: null }, { key: 5 }],
    [{ "3": 4, "5": null, false: 1, n: 2, null: null }],
  ],
  ["[leaf_paths]", { a: null, b: [1, false], c: "x" }, [[["b", 0], ["c"]]]],
  [
    "try to_entries catch ., has(0), try (1 | has(0)) catch .",
    null,
    ["null (null) has no keys", false, "Cannot check whether number has a number key"],
  ],
  ["with_entries(.value += 1)", { a: 1 }, [{ a: 2 }]],
  ["[limit(2; path(..))]", { a: [1] }, [[[], ["a"]]]],
  ["path(first(.a, .b))", null, [["a"]]],
  [
    '[.[] | path(getpath(["a", 0]))]',
    [null, { a: [1] }],
    [
      [
        ["a", 0],
        ["a", 0],
      ],
    ],
  ],
  ["del(.[1, 2])", [1, 2, 3], [[1]]],
  ["del(.[] | select(. > 1))", [1, 2, 3], [[1]]],
  ["pick(.a[1])", { a: [1, 2], b: 3 }, [{ a: [null, 2] }]],
  ["[tostream] | fromstream(.[])", { a: [1, { b: 2 }] }, [{ a: [1, { b: 2 }] }]],
  ["[1 | truncate_stream([[0], 1], [[1, 0], 2], [[1, 0]], [[1]])]", null, [[[[0], 2], [[0]]]]],
  // What the comparison with a real jq found.
  ["[.[] | bsearch(1)]", [null, {}, "", 0, [1]], [[-1, -1, -1, -1, 0]]],
  ["[.[] | [combinations]]", [null, {}, "", 0], [[[[]], [[]], [[]], [[]]]]],
  ["[last(empty)]", null, [[null]]],
  ['[.[null], .[true], .[[1]], getpath([null]), getpath(["a", true]) | 1]?, "error"', null, ["error"]],
  ["[.[{}], .a[{}]]", null, [[null, null]]],
  ["has(-0.5), has(-1), has(1.5), has(nan), .[-0.5], .[-1.5], (.[-0.5] = 9)", [1, 2], [true, false, true, false, 1, 2, [9, 2]]],
  ["has(-0.5), has(0.5), has(-0)", [], [false, false, false]],
  [
    "del(.[-0.5]), del(.[-0.5, -1]), del(.[-0.5, 0.5]), del(.[-1.5])",
    [1, 2, 3],
    [
      [1, 2, 3],
      [1, 2],
      [2, 3],
      [1, 2],
    ],
  ],
  ["del(.[0][0], .[:1][0])", [[1, 2], [3]], [[[3]]]],
  ["del(.[0:1][0], .[1:2][0])", [1, 2, 3, 4], [[2, 4]]],
  ["del(.[-1:][0], .[0:1][0], .[0], .[-2:][1])", [[1, 2], 3, 4, 5, 6], [[4]]],
  ['[del(..[:1][:4])]?, "error"', [[""]], ["error"]],
  ["[1e1000 * 2, -1e1000 * 2, {a: (1e308 * 10)}.a]", null, [[1.7976931348623157e308, -1.7976931348623157e308, 1.7976931348623157e308]]],
  ['[indices(""), index(""), ([1] | indices([])), ([] | indices([1]))]', "abc", [[[], null, [], []]]],
  [
    '[.[] | try index("b") catch "refused", try rindex("b") catch "refused"]',
    [{ b: "" }, { b: [1, 2] }, {}],
    [["refused", "refused", 1, 2, null, null]],
  ],
  ["try indices(null) catch 1", null, [1]],
  ["[contains(true), (try contains(false) catch 1)]", true, [[true, 1]]],
  ['[contains({a: "x"}), contains({a: 1})]', { a: 1 }, [[false, true]]],
  ["try (-1 * .) catch 1", "a", [1]],
  ["[-1 - 2, - 1 * 2 + 3, 1 - -1 * 2]", null, [[-3, 1, 3]]],
  ["try max_by(error(5)) catch .", { a: 1 }, [5]],
  ["[truncate_stream([[0], 1])]", {}, [[]]],
  // Text.
  ["@sh", ["a b", 1, "it's"], ["'a b' 1 'it'\\''s'"]],
  ["@csv, @tsv", [1.5, 'a"', null, true], ['1.5,"a""",,true', '1.5\ta"\t\ttrue']],
  ["@base32 | ., @base32d", "x", ["PA======", "x"]],
  ['@json "x\\(1 + 1)y\\([1])"', null, ["x2y[1]"]],
  ['ascii_downcase, ltrimstr("A"), trim', " Ab ", [" ab ", " Ab ", "Ab"]],
  ['[splits(", *"; null)]', "a,b,  c", [["a", "b", "c"]]],
  ['[match("(?<x>a)|b"; "g") | .offset, .captures[0].string]', "😀ab", [[1, "a", 2, null]]],
  ['test("^\\\\w+$")', "Müller", [true]],
  ['sub("(?<y>\\\\d+)-(?<m>\\\\d+)"; "\\(.m)/\\(.y)")', "on 2026-11", ["on 11/2026"]],
  ['[scan("a(?=b)")] | length', "abacab", [2]],
  ['length, utf8bytelength, (explode | implode), .[1:], index("b")', "😀ab", [3, 6, "😀ab", "ab", 2]],
  ["tojson", [1e17, 1e-5, 1.5, -0, 3.0, 1e1000], ["[1e+17,1e-05,1.5,-0,3,1.7976931348623157e+308]"]],
  // Order.
  ["sort", [{ b: 1 }, "\uffff", "😀", [1], 1, null, true, false], [[null, false, true, 1, "\uffff", "😀", [1], { b: 1 }]]],
  [
    "[min_by(.a), max_by(.a)] | map(.b)",
    [
      { a: 1, b: 1 },
      { a: 1, b: 2 },
    ],
    [[1, 2]],
  ],
  ["[nan] | sort, (.[0] < nan)", null, [[NaN], true]],
  [
    "unique_by(length), group_by(length)",
    ["a", "bb", "c"],
    [
      ["a", "bb"],
      [["a", "c"], ["bb"]],
    ],
  ],
  // Time.
  ['todate, (gmtime | mktime), strftime("%A %j %U %V %e")', 1425599507, ["2015-03-05T23:51:47Z", 1425599507, "Thursday 064 09 10  5"]],
  ['strptime("%d %b %Y %I:%M %p") | mktime | todate', "05 Mar 2015 11:51 PM", ["2015-03-05T23:51:00Z"]],
  ['try strptime("%H") catch .', "10:15", ['date "10:15" does not match format "%H"']],
  ["fromdate", "1969-12-31T23:59:59Z", [-1]],
  // Slices as keys, and lists from objects.
  [
    '[.[{"start": 1, "end": 2}], (try .[{"a": 1}] catch "refused"), (try (.[{"start": 1}] = []) catch "refused")]',
    [1, 2],
    [[[2], "refused", "refused"]],
  ],
  [
    "[combinations(2)]",
    { a: 1, b: 2 },
    [
      [
        [1, 1],
        [1, 2],
        [2, 1],
        [2, 2],
      ],
    ],
  ],
  // What leaves an expression is JSON: as jq prints it.
  [
    "nan, [infinite, -infinite], {a: nan}, (1e308 * 10), (-1 | sqrt)",
    null,
    [null, [Number.MAX_VALUE, -Number.MAX_VALUE], { a: null }, Number.MAX_VALUE, null],
  ],
  ['("nan" | tonumber), ("[nan]" | fromjson), ("nan" | tonumber | isnan)', null, [null, [null], true]],
  // Numbers.
  ["[1, -1, 5, -5] | map(. % 3)", null, [[1, -1, 2, -2]]],
  ["[2.5, 3.5, -2.5] | map(round, nearbyint)", null, [[3, 2, 4, 4, -3, -2]]],
  ["8 | frexp, logb, significand, gamma", null, [[0.5, 4], 3, 1, Math.log(5040)]],
  ['walk(if type == "number" then . + 1 else . end)', { a: [1, { b: 2 }] }, [{ a: [2, { b: 3 }] }]],
  ["{$__loc__, x: $__loc__.line}", null, [{ __loc__: { file: "<top-level>", line: 1 }, x: 1 }]],
  [
    "[combinations]",
    [[1, 2], [3]],
    [
      [
        [1, 3],
        [2, 3],
      ],
    ],
  ],
  ['[splits("b")] | add, add(.[])', "abc", ["ac", "ac"]],
  ["[limit(5; repeat(. * 2, 7))]", 4, [[8, 7, 8, 7, 8]]],
  ["[limit(2; path(repeat(.a)))]", {}, [[["a"], ["a"]]]],
  ["reverse", [1, 2], [[2, 1]]],
  [
    '[.[] | try reverse catch "refused"]',
    ["", "ab", {}, { a: 1 }, 0, 3, true, null],
    [[[], "refused", [], "refused", [], "refused", "refused", []]],
  ],
  ["map(isnan, isinfinite, isnormal)", [null, "a", [], {}, true], [Array(15).fill(false)]],
];

/** The same under the rules of older versions, which runs that were started then keep. */
const OLDER_CASES: readonly (readonly [string, Json, readonly Json[]])[] = [
  ['index("b")', { b: "" }, [null]],
  ["has(-0.5), .[-0.5], .[-1.5]", [1, 2], [false, 2, 1]],
  ["has(-0.5), has(0.5)", [], [false, false]],
  ["del(.[0][0], .[:1][0])", [[1, 2], [3]], [[[]]]],
  ["del(.[0:1][0], .[1:2][0])", [1, 2, 3, 4], [[3, 4]]],
  ["del(..[:1][:4])", [[""]], [[]]],
  [
    "del(.[-0.5]), del(.[-1.5]), del(.[0.5])",
    [1, 2, 3],
    [
      [1, 2],
      [1, 3],
      [2, 3],
    ],
  ],
  ['[(1, error("x")) // 3], [error("x") // 3], (error("x") // 3), [path(error("x") // .a)]', null, [[1], [3], 3, [["a"]]]],
  [".a // 3", 1, [3]],
  ["[limit(5; repeat(. * 2))]", 1, [[1, 2, 4, 8, 16]]],
  ["[limit(2; path(repeat(.a)))]", null, [[[], ["a"]]]],
  ["reverse, (try ({} | reverse) catch .)", "aé😀", ["😀éa", "Cannot index object with number"]],
  ['[.[] | try (isnan, isinfinite, isnormal) catch "refused"]', ["a", null], [["refused", "refused"]]],
];

describe("builtins and operators", () => {
  test.each(CASES)("%s", (source, input, outputs) => {
    expect(JSON.stringify(all(source, input))).toBe(JSON.stringify(outputs));
  });

  test.each(OLDER_CASES)("by the older rules: %s", (source, input, outputs) => {
    expect(JSON.stringify(compile(source, { variables: [] }).all(input, [], { hasOlderRules: true }))).toBe(JSON.stringify(outputs));
  });

  test("every builtin has a name and an arity", () => {
    const [names] = all("builtins") as [string[]];
    expect(names.length).toBeGreaterThan(180);
    expect(names.every((name) => /^[a-zA-Z_][a-zA-Z0-9_]*\/[0-9]$/.test(name))).toBe(true);
  });
});
