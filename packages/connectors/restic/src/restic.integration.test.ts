import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { callsForTests } from "@tutti/connector-kit/conformance";
import type { JsonObject } from "@tutti/model";
import { hasLab } from "@tutti/testkit/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resticConnector } from "./restic-connector.ts";
import { type Backups, startBackups } from "./restic-for-tests.ts";

const connector = resticConnector({ environment: process.env });
let backups: Backups;
const { attempt, call, undo } = callsForTests(connector, () => backups.provider());

describe.skipIf(!hasLab)("restic", () => {
  beforeAll(async () => {
    backups = await startBackups();
  });
  afterAll(() => backups.stop());

  test("files are backed up, found by their token, brought back as they were, checked and forgotten", async () => {
    await expect(call("snapshot.list:1", {})).rejects.toThrow("`backup.init` makes one");
    const { repository } = await call("backup.init:1", {});
    expect(await call("backup.init:1", {})).toEqual({ repository });
    const input = { paths: [backups.directory], host: "web1", tags: ["app", "nightly"] };
    const made = await call("backup.run:1", input);
    expect(made).toMatchObject({ host: "web1", tags: ["app", "nightly"], paths: [backups.directory] });
    const target = `${backups.directory}-back`;
    await mkdir(target);
    await call("restore.run:1", { token: made["token"] ?? null, target, includes: ["two.txt"] });
    expect(await readFile(join(target, backups.directory, "deep/two.txt"), "utf8")).toBe("two");
    await expect(readFile(join(target, backups.directory, "one.txt"), "utf8")).rejects.toMatchObject({ code: "ENOENT" });
    expect(await call("repository.check:1", { readData: "100%" })).toEqual({ repository });
    await undo("backup.run:1", input, made);
    expect(await call("snapshot.list:1", {})).toEqual({ snapshots: [] });
    await rm(target, { recursive: true });
  });

  test("secrets stand in no word of the command, and the password in no part of its environment", async () => {
    const directory = join(backups.directory, "..", "door");
    await mkdir(directory);
    const [script, told] = [join(directory, "restic"), join(directory, "told")];
    await writeFile(script, `#!/bin/bash\n{ tr '\\0' ' ' < /proc/$$/cmdline; echo; env; } >> ${told}\nexec restic "$@"\n`);
    await chmod(script, 0o755);
    const provider = backups.provider({ restic: script });
    await call("snapshot.list:1", {}, { provider });
    const [words = "", ...environment] = (await readFile(told, "utf8")).split("\n");
    expect(words).toContain("snapshots");
    expect(words).not.toMatch(/0123456789/);
    expect(environment.filter((line) => line.includes("0123456789"))).toEqual([expect.stringMatching(/^RESTIC_REPOSITORY=rest:/)]);
  });

  test("a backup with files that can't be read is not kept, unless that is wanted", async () => {
    const gone = { paths: [join(backups.directory, "one.txt"), join(backups.directory, "nothing")] };
    await expect(call("backup.run:1", { paths: [join(backups.directory, "nothing")] })).rejects.toMatchObject({ outcome: "answered" });
    await expect(call("backup.run:1", gone)).rejects.toThrow("say allowUnreadable");
    expect(await call("snapshot.list:1", {})).toEqual({ snapshots: [] });
    const made = await call("backup.run:1", { ...gone, allowUnreadable: true });
    await call("snapshot.forget:1", { snapshot: made["snapshot"] ?? null, prune: true });
    expect(await call("snapshot.list:1", {})).toEqual({ snapshots: [] });
  });

  test("the check says what is wrong: password, account, server, program", async () => {
    const check = (more: JsonObject, password?: string): unknown =>
      connector.check?.(attempt({ provider: backups.provider(more, password) }));
    expect(await check({})).toEqual({ status: "healthy", version: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
    expect(await check({}, "another password")).toMatchObject({
      problem: expect.stringContaining("does not open"),
      wayOut: expect.stringContaining("secrets"),
    });
    expect(await check({ repository: "rest:http://127.0.0.1:1/x/" })).toMatchObject({
      problem: expect.stringContaining("can't be reached"),
    });
    expect(await check({ restic: "/nowhere/restic" })).toMatchObject({ problem: expect.stringContaining("install restic") });
  });

  test.each<[string, JsonObject]>([
    ["a path that is an option", { paths: ["--stdin"] }],
    ["a tag that is a token", { paths: ["/etc"], tags: [`tok_${"0".repeat(32)}`] }],
    ["a tag that is two", { paths: ["/etc"], tags: ["a,b"] }],
    ["a host that is an option", { paths: ["/etc"], host: "--password-command" }],
  ])("never begins: %s", async (_, input) => {
    await expect(call("backup.run:1", input)).rejects.toMatchObject({ outcome: "never-began", errorKind: "validation" });
  });
});
