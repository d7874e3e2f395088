import { expect, test } from "vitest";
import { resolveDataDirectory } from "./data-directory.ts";

test("the flag comes before the environment, the environment before .tutti here", () => {
  const path = (flag: string | undefined, environment: Record<string, string>): string =>
    resolveDataDirectory({ flag, environment, currentDirectory: "/home/ana" }).path;
  expect([
    path("d", { TUTTI_DATA: "/e" }),
    path(undefined, { TUTTI_DATA: "/e" }),
    path(undefined, { TUTTI_DATA: "" }),
    path("/abs", {}),
  ]).toEqual(["/home/ana/d", "/e", "/home/ana/.tutti", "/abs"]);
});
