import { expect, test } from "vitest";
import { parseSecret } from "./secrets.ts";

test.each([
  ['{"user":"a","password":"b"}\n', { user: "a", password: "b" }],
  ['["a"]', ["a"]],
  ['"quoted"', "quoted"],
  ["12345\n", "12345"],
  ["true", "true"],
  ["{not json", "{not json"],
  [" spaces stay \r\n", " spaces stay "],
])("the secret text %j is %j", (text, value) => {
  expect(parseSecret(text)).toEqual(value);
});
