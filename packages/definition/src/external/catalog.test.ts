import { expect, test } from "vitest";
import { catalogFunctionUri, rawUri } from "./catalog.ts";

test.each([
  ["https://x.test/catalog", "https://x.test/catalog/functions/log/1.0.0/function.yaml"],
  ["./catalog/", "./catalog/functions/log/1.0.0/function.yaml"],
  ["file:///srv/catalog", "file:///srv/catalog/functions/log/1.0.0/function.yaml"],
  ["https://github.com/a/catalog", "https://raw.githubusercontent.com/a/catalog/HEAD/functions/log/1.0.0/function.yaml"],
  [
    "https://github.com/a/catalog/tree/main",
    "https://raw.githubusercontent.com/a/catalog/refs/heads/main/functions/log/1.0.0/function.yaml",
  ],
  ["https://github.com/a/b/tree/main/sub", "https://raw.githubusercontent.com/a/b/refs/heads/main/sub/functions/log/1.0.0/function.yaml"],
  ["https://gitlab.com/group/sub/catalog", "https://gitlab.com/group/sub/catalog/-/raw/HEAD/functions/log/1.0.0/function.yaml"],
  ["https://gitlab.com/a/b/-/tree/main", "https://gitlab.com/a/b/-/raw/main/functions/log/1.0.0/function.yaml"],
])("a function of the catalog at %s", (endpoint, expected) => {
  expect(catalogFunctionUri(endpoint, "log", "1.0.0")).toBe(expected);
});

test("other addresses stay as they are", () => {
  for (const uri of [
    "https://raw.githubusercontent.com/a/b/main/f.yaml",
    "https://github.com/a/b",
    "https://gitlab.com/a/b/-/raw/main/f.yaml",
    "./f.yaml",
  ])
    expect(rawUri(uri)).toBe(uri);
});
