import { expect, test } from "vitest";
import { providerLines } from "./provider-text.ts";

const view = { name: "dns", connector: "powerdns", configuration: {}, credentials: {}, health: undefined };

test("a provider is told with how it is, and with the way out when something is wrong", () => {
  expect(providerLines(view)).toEqual(["dns  powerdns  not checked"]);
  const healthy = { atMs: 0, found: { status: "healthy" as const, version: "4.7.3" } };
  expect(providerLines({ ...view, health: healthy })).toEqual(["dns  powerdns  healthy 4.7.3"]);
  const ill = { status: "unhealthy" as const, version: undefined, problem: "The key\nis wrong.", wayOut: "Correct the secret." };
  expect(providerLines({ ...view, health: { atMs: 0, found: ill } })).toEqual([
    "dns  powerdns  unhealthy: The key is wrong.",
    "  Correct the secret.",
  ]);
});
