import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readSecret } from "./secrets.ts";

function directoryWith(name: string, text: string, mode: number): string {
  const directory = mkdtempSync(join(tmpdir(), "tutti-secrets-"));
  writeFileSync(join(directory, name), text);
  chmodSync(join(directory, name), mode);
  return directory;
}

test("a file of the owner's alone is a secret; the environment comes first", async () => {
  const directory = directoryWith("dns-key", "from file\n", 0o600);
  expect(await readSecret("dns-key", { directory, environment: {} })).toBe("from file");
  expect(await readSecret("dns-key", { directory, environment: { TUTTI_SECRET_DNS_KEY: "from environment" } })).toBe("from environment");
  expect(await readSecret("dns-key", { directory, environment: { "TUTTI_SECRET_dns-key": "as written" } })).toBe("as written");
});

test("a file that others may read is refused by name, not used", async () => {
  const directory = directoryWith("open", "x", 0o644);
  await expect(readSecret("open", { directory, environment: {} })).rejects.toMatchObject({
    code: "secret-not-found",
    hint: expect.stringContaining("chmod 600"),
  });
});

test("a name cannot lead out of the directory", async () => {
  const directory = directoryWith("x", "x", 0o600);
  expect(await readSecret("../x", { directory: join(directory, "sub"), environment: {} })).toBeUndefined();
  expect(await readSecret("absent", { directory, environment: {} })).toBeUndefined();
});
