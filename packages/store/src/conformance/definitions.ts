import { expect } from "vitest";
import type { DefinitionRow } from "../store.ts";
import { type StoreTest, T0 } from "./fixtures.ts";

/** What published versions promise: immutable, found by version, `latest` and digest. */
export function describeDefinitions(test: StoreTest): void {
  test("a version is published once; the same text again is fine, another is a conflict", async ({ store, reopen }) => {
    expect(await store.putDefinition(definitionOf("1.0.0"))).toBe("created");
    expect(await store.putDefinition({ ...definitionOf("1.0.0"), publishedAtMs: T0 + 5 })).toBe("unchanged");
    expect(await store.putDefinition({ ...definitionOf("1.0.0"), text: "other", digest: "other" })).toBe("conflict");
    expect(await (await reopen()).loadDefinition({ namespace: "ops", name: "deploy", version: "1.0.0" })).toEqual(definitionOf("1.0.0"));
  });

  test("concurrent publications of one version: one wins", async ({ store }) => {
    const outcomes = await Promise.all(
      [1, 2, 3].map((one) => store.putDefinition({ ...definitionOf("1.0.0"), text: `text ${one}`, digest: `d${one}` })),
    );
    expect(outcomes.toSorted()).toEqual(["conflict", "conflict", "created"]);
  });

  test("latest is the highest semantic version; a pre-release is lower than its release", async ({ store }) => {
    const latest = async (): Promise<string | undefined> =>
      (await store.loadDefinition({ namespace: "ops", name: "deploy", version: "latest" }))?.version;
    expect(await latest()).toBeUndefined();
    const steps: readonly (readonly [string, string])[] = [
      ["1.0.0-rc.2", "1.0.0-rc.2"],
      ["1.0.0-rc.10", "1.0.0-rc.10"],
      ["1.0.0-beta", "1.0.0-rc.10"],
      ["1.0.0", "1.0.0"],
      ["1.0.0-rc.11", "1.0.0"],
      ["0.99.0", "1.0.0"],
      ["1.9.0", "1.9.0"],
      ["1.10.0", "1.10.0"],
    ];
    for (const [published, expected] of steps) {
      await store.putDefinition(definitionOf(published));
      expect(await latest()).toBe(expected);
    }
    await store.putDefinition({ ...definitionOf("9.0.0"), namespace: "other" });
    expect(await latest()).toBe("1.10.0");
  });

  test("a version is found by its digest", async ({ store }) => {
    await store.putDefinition({ ...definitionOf("1.0.0"), baseDirectory: "/flows" });
    expect(await store.loadDefinitionByDigest("digest of 1.0.0")).toEqual({ ...definitionOf("1.0.0"), baseDirectory: "/flows" });
    expect(await store.loadDefinitionByDigest("nothing")).toBeUndefined();
    expect(await store.loadDefinition({ namespace: "ops", name: "deploy", version: "2.0.0" })).toBeUndefined();
  });

  test("what a version refers to is kept with it, and is no part of the list", async ({ store, reopen }) => {
    const references = JSON.stringify([{ kind: "schema", name: "x" }]);
    await store.putDefinition({ ...definitionOf("1.0.0"), references });
    expect(await store.putDefinition({ ...definitionOf("1.0.0"), references: "[]" })).toBe("unchanged");
    const again = await reopen();
    expect((await again.loadDefinitionByDigest("digest of 1.0.0"))?.references).toBe(references);
    expect(await again.listDefinitions()).toHaveLength(1);
    expect((await again.listDefinitions())[0]).not.toHaveProperty("references");
  });

  test("the list has every version, without texts, by namespace, name and version", async ({ store }) => {
    const all = [
      definitionOf("1.10.0"),
      definitionOf("1.9.0"),
      { ...definitionOf("1.0.0"), name: "alpha" },
      { ...definitionOf("1.0.0"), namespace: "a" },
    ];
    for (const one of all) await store.putDefinition(one);
    const listed = await store.listDefinitions();
    expect(listed.map((one) => [one.namespace, one.name, one.version])).toEqual([
      ["a", "deploy", "1.0.0"],
      ["ops", "alpha", "1.0.0"],
      ["ops", "deploy", "1.9.0"],
      ["ops", "deploy", "1.10.0"],
    ]);
    const { text, ...withoutText } = definitionOf("1.10.0");
    expect(text).toBeDefined();
    expect(listed.at(-1)).toEqual(withoutText);
  });
}

function definitionOf(version: string): DefinitionRow {
  return {
    namespace: "ops",
    name: "deploy",
    version,
    digest: `digest of ${version}`,
    text: `text of ${version} ü`,
    baseDirectory: undefined,
    publishedAtMs: T0,
  };
}
