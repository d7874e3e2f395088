import type { Json } from "@tutti/model";
import { expect, test } from "vitest";
import { objectTemplate } from "./compile-template.ts";

test("an object in which nothing is computed is made of what its members were compiled to, not of what was written", () => {
  const given = { subscription: { foreach: {}, amount: 5 }, authentication: { use: "named" } };
  const template = objectTemplate(given, (_, key) => {
    const compiled: Json = key === "subscription" ? { amount: 5 } : { bearer: { token: "of the policy" } };
    return { kind: "literal", value: compiled };
  });
  expect(template).toEqual({
    kind: "literal",
    value: { subscription: { amount: 5 }, authentication: { bearer: { token: "of the policy" } } },
  });
});
