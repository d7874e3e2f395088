import { expect } from "vitest";
import type { ProviderRow } from "../store.ts";
import { type StoreTest, TENANT } from "./fixtures.ts";

/** What rows of providers promise: one a name, written in turn, kept over restarts, and gone when they are removed. */
export function describeProviders(test: StoreTest): void {
  test("a provider is written in turn: a revision that is not the next one changes nothing", async ({ store, reopen }) => {
    expect(await store.loadProvider(TENANT, "dns")).toBeUndefined();
    expect(await store.putProvider(providerOf({ revision: 2 }))).toBe("conflict");
    expect(await store.putProvider(providerOf())).toBe("written");
    expect(await store.putProvider(providerOf({ body: "other" }))).toBe("conflict");
    const second = providerOf({ revision: 2, connector: "bind", body: '{"ü":2}' });
    expect(await store.putProvider(second)).toBe("written");
    expect(await (await reopen()).loadProvider(TENANT, "dns")).toEqual(second);
  });

  test("of two writers one is written, the other told", async ({ store }) => {
    const outcomes = await Promise.all([1, 2, 3].map((one) => store.putProvider(providerOf({ body: `${one}` }))));
    expect(outcomes.toSorted()).toEqual(["conflict", "conflict", "written"]);
  });

  test("the list has the tenant's providers by name, or those of a connector", async ({ store }) => {
    const rows = [
      providerOf(),
      providerOf({ name: "cloud", connector: "incus" }),
      providerOf({ name: "alt" }),
      providerOf({ tenant: "other" }),
    ];
    for (const row of rows) await store.putProvider(row);
    expect(await store.listProviders(TENANT)).toEqual([rows[2], rows[1], rows[0]]);
    expect(await store.listProviders(TENANT, "powerdns")).toEqual([rows[2], rows[0]]);
    expect(await store.listProviders("nobody")).toEqual([]);
  });

  test("a removed provider is gone, also after a restart, and its name is free", async ({ store, reopen }) => {
    await store.putProvider(providerOf());
    await store.putProvider(providerOf({ tenant: "other" }));
    expect(await store.removeProvider(TENANT, "dns")).toBe(true);
    expect(await store.removeProvider(TENANT, "dns")).toBe(false);
    const again = await reopen();
    expect(await again.listProviders(TENANT)).toEqual([]);
    expect(await again.listProviders("other")).toHaveLength(1);
    expect(await again.putProvider(providerOf())).toBe("written");
  });
}

function providerOf(change: Partial<ProviderRow> = {}): ProviderRow {
  return { tenant: TENANT, name: "dns", connector: "powerdns", revision: 1, body: "{}", ...change };
}
