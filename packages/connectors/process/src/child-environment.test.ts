import { attemptForTests } from "@tutti/connector-kit";
import { expect, test } from "vitest";
import { childEnvironment } from "./child-environment.ts";

const attempt = attemptForTests({ number: 3, taskPath: "/do/deploy" });
const marks = { TUTTI_TOKEN: attempt.token, TUTTI_RUN: attempt.runId, TUTTI_TASK: "/do/deploy", TUTTI_ATTEMPT: "3" };

test("a child gets the harmless part of the environment, what the author gives, and whose it is", () => {
  const own = { PATH: "/bin", HOME: "/root", LANG: "C", NODE_OPTIONS: "--inspect", TUTTI_SECRET_DB: "hidden", LD_PRELOAD: "x.so" };
  expect(childEnvironment(own, { FOO: "bar", N: 1, B: false, NONE: null }, attempt)).toEqual({
    PATH: "/bin",
    HOME: "/root",
    LANG: "C",
    FOO: "bar",
    N: "1",
    B: "false",
    ...marks,
  });
});

test("the author may change the path but not the marks", () => {
  const environment = childEnvironment({}, { PATH: "/opt/bin", TUTTI_TOKEN: "forged" }, attempt);
  expect(environment).toEqual({ PATH: "/opt/bin", ...marks });
  expect(childEnvironment({}, {}, attempt)["PATH"]).toContain("/usr/bin");
});
