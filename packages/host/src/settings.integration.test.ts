import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type DataDirectory, resolveDataDirectory } from "./data-directory.ts";
import { readSettings } from "./settings.ts";

let directory: DataDirectory;

beforeEach(() => {
  const flag = mkdtempSync(join(tmpdir(), "tutti-settings-"));
  directory = resolveDataDirectory({ flag, environment: {}, currentDirectory: "/" });
});
afterEach(() => rmSync(directory.path, { recursive: true }));

function read(text: string | undefined, environment: Readonly<Record<string, string>> = {}) {
  if (text !== undefined) writeFileSync(join(directory.path, "settings.yaml"), text);
  return readSettings(directory, environment);
}

describe("settings", () => {
  test.each([[undefined], [""], ["# nothing set\n\n"], ["network: {}\n"]])("%j: the defaults hold", async (text) => {
    const { network } = await read(text);
    expect(() => network.checkHost("10.0.0.1")).not.toThrow();
    expect(() => network.checkHost("169.254.169.254")).toThrow("settings.yaml");
    expect(network.certificateAuthorities).toBeUndefined();
  });

  test("rules of the file hold", async () => {
    const { network } = await read("network:\n  mode: public\n  allow: ['10.1.0.0/16']\n  deny: [8.8.8.8]\n");
    expect(() => network.checkHost("10.1.0.1")).not.toThrow();
    expect(() => network.checkHost("10.2.0.1")).toThrow("private");
    expect(() => network.checkHost("8.8.8.8")).toThrow("deny list");
  });

  test.each([
    ["networks: {}\n", "networks"],
    ["network: { mode: open }\n", "network.mode"],
    ["network: { allow: 10.0.0.1 }\n", "network.allow"],
    ["network: { deny: ['10.0.0.1/8'] }\n", "10.0.0.1/8"],
    ["network:\n  - x: [\n", "settings.yaml"],
    ["- a\n", "settings.yaml"],
    ["tls: { authorities: [absent.pem] }\n", "absent.pem"],
    ["tls: { authorities: [settings.yaml] }\n", "no certificate"],
    ["tls: { rejectUnauthorized: false }\n", "rejectUnauthorized"],
  ])("%j is refused by name", async (text, named) => {
    await expect(read(text)).rejects.toMatchObject({ code: "settings-invalid", message: expect.stringContaining(named) });
  });

  test("TUTTI_CA_FILE that can't be read is an error, not ignored", async () => {
    await expect(read(undefined, { TUTTI_CA_FILE: "/nowhere/ca.pem" })).rejects.toMatchObject({
      code: "settings-invalid",
      message: expect.stringContaining("/nowhere/ca.pem"),
    });
    writeFileSync(join(directory.path, "broken.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    await expect(read(undefined, { TUTTI_CA_FILE: join(directory.path, "broken.pem") })).rejects.toMatchObject({
      code: "settings-invalid",
    });
  });
});
