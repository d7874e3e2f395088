import type { Json } from "@tutti/model";
import { expect, test } from "vitest";
import { VALUE_PARSERS } from "./values.ts";

const [INT8, FLOAT8, NUMERIC, TEXT_ARRAY, INT4_ARRAY, TIMESTAMP] = [20, 701, 1700, 1009, 1007, 1114];

test.each<readonly [number, string, Json]>([
  [INT8, "9007199254740991", 9_007_199_254_740_991],
  [INT8, "9007199254740993", "9007199254740993"],
  [FLOAT8, "1.5", 1.5],
  [FLOAT8, "NaN", "NaN"],
  [NUMERIC, "12.30", "12.30"],
  [TIMESTAMP, "2026-01-01 00:00:00", "2026-01-01 00:00:00"],
  [TEXT_ARRAY, "{}", []],
  [TEXT_ARRAY, '{a,"b c","NULL",NULL,"x\\"y\\\\z",""}', ["a", "b c", "NULL", null, 'x"y\\z', ""]],
  [INT4_ARRAY, "{1,NULL,-2}", [1, null, -2]],
  [INT4_ARRAY, "{{1,2},{3,4}}", "{{1,2},{3,4}}"],
  [INT4_ARRAY, "[0:1]={1,2}", "[0:1]={1,2}"],
])("of type %i, %s is read as %j", (type, text, value) => {
  const parse = VALUE_PARSERS.getTypeParser(type);
  expect(parse(text)).toEqual(value);
});
