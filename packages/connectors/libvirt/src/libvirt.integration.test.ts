import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { callsForTests } from "@tutti/connector-kit/conformance";
import type { JsonObject } from "@tutti/model";
import { Token } from "@tutti/model/schemas";
import { hasLab } from "@tutti/testkit/lab";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { libvirtConnector } from "./libvirt-connector.ts";
import { type Hypervisor, IMAGE, openDoor, providerOf, startHypervisor } from "./libvirt-for-tests.ts";
import { seedImage } from "./seed.ts";

const run = promisify(execFile);
const connector = libvirtConnector({ environment: process.env });
let hypervisor: Hypervisor;
const { attempt, call, undo } = callsForTests(connector, () => hypervisor.provider);
const SMALL = { memoryMib: 32, networks: [], start: false };
const TOKEN = Token.parse(`tok_${"5".repeat(32)}`);

async function names(): Promise<readonly string[]> {
  const listed = await hypervisor.virsh("list", "--all", "--name");
  const volumes = await hypervisor.virsh("vol-list", "lab");
  return [listed, volumes]
    .flatMap((text) => text.split("\n").map((line) => line.trim().split(/\s+/)[0] ?? ""))
    .filter((name) => name !== "");
}

describe.skipIf(!hasLab)("libvirt", () => {
  beforeAll(async () => {
    hypervisor = await startHypervisor();
  });
  afterEach(() => hypervisor.reset());
  afterAll(() => hypervisor.stop());

  test("a machine boots with its name from cloud-init, gets an address, takes a disk and memory while it runs, and goes down by itself", async () => {
    const userData = "#cloud-config\nruncmd: ['echo <&> > /root/x']\n";
    const input = {
      name: "web1",
      memoryMib: 160,
      memoryMaxMib: 192,
      image: IMAGE,
      userData,
      boot: { ...hypervisor.boot, commandLine: "console=ttyS0 quiet panic=-1" },
    };
    const made = await call("vm.create:1", input);
    const logged = attempt();
    const found = await connector.functions["vm.address:1"]?.run({ vm: "web1", withinSeconds: 200 }, logged);
    expect(found).toMatchObject({ vm: "web1", address: expect.stringMatching(/^198\.18\.200\.\d+$/) });
    // Its own name, which it has from the seed, stands in the lease that it asked for.
    const [mac] = (made["interfaces"] as { mac: string }[]).map((card) => card.mac);
    expect(await hypervisor.virsh("net-dhcp-leases", "lab")).toMatch(new RegExp(`${mac}.*web1`));

    const resized = await call("vm.resize:1", { vm: "web1", memoryMib: 192 });
    expect(resized).toMatchObject({ isInForce: true, before: { memoryMib: 160 } });
    expect(await call("vm.resize:1", { vm: "web1", vcpus: 2 })).toMatchObject({ isInForce: false });
    const { volume } = await call("volume.create:1", { name: "data1", sizeMib: 4 });
    if (typeof volume !== "string") throw new Error("a volume was made");
    const attachment = { vm: "web1", volume };
    const attached = await call("volume.attach:1", attachment);
    expect(await hypervisor.virsh("dumpxml", "web1")).toContain(volume);
    await call("volume.resize:1", { volume, sizeMib: 8 });
    const listed = await call("volume.list:1", { pool: "lab" });
    expect(JSON.stringify(listed)).toContain(`"capacityBytes":${8 * 1024 * 1024}`);
    await undo("volume.attach:1", attachment, attached);
    const stopped = await call("vm.stop:1", { vm: "web1", graceSeconds: 60 });
    expect(stopped).toMatchObject({ wasRunning: true });
    expect(await call("vm.read:1", { vm: "web1" })).toMatchObject({ isRunning: false, vcpus: 2, memoryMib: 192, token: made["token"] });
    await undo("vm.create:1", input, made);
    expect(await names()).toEqual([IMAGE, volume]);
  });

  test("the seed is what cloud-init's NoCloud looks for: its label, and files with their names", async () => {
    const directory = await mkdtemp(join(tmpdir(), "tutti-seed-"));
    const file = join(directory, "seed.iso");
    const files = { "user-data": `#cloud-config\n# ${"x".repeat(5000)}\n`, "meta-data": "local-hostname: web1\n", "network-config": "" };
    await writeFile(file, seedImage(files));
    expect((await run("blkid", ["-p", file])).stdout).toContain('LABEL="cidata"');
    for (const option of ["-J", undefined])
      expect((await run("isoinfo", [...(option === undefined ? [] : [option]), "-f", "-i", file])).stdout.toLowerCase()).toContain(
        "/user-data",
      );
    const { stdout } = await run("isoinfo", ["-J", "-x", "/user-data", "-i", file]);
    expect(createHash("md5").update(stdout).digest("hex")).toBe(createHash("md5").update(files["user-data"]).digest("hex"));
    expect(await readFile(file)).toEqual(seedImage(files));
    await rm(directory, { recursive: true });
  });

  test("a machine that can't be made leaves nothing behind, and one of the same name is left as it is", async () => {
    const door = await openDoor(hypervisor, { kind: "refuses", word: "vol-upload" });
    const input = { ...SMALL, name: "web1", image: IMAGE, disks: [{ sizeMib: 1 }], userData: "x" };
    await expect(call("vm.create:1", input, { provider: door.provider })).rejects.toMatchObject({
      outcome: "answered",
      message: expect.stringContaining("not today"),
    });
    expect(await names()).toEqual([IMAGE]);
    await door.close();
    await call("vm.create:1", { ...SMALL, name: "web1" });
    await expect(call("vm.create:1", { ...SMALL, name: "web1", vcpus: 2 })).rejects.toThrow("Choose another name");
    expect(await call("vm.read:1", { vm: "web1" })).toMatchObject({ vcpus: 1 });
  });

  test("an input that was corrected is carried out under the same token, also the name", async () => {
    const door = await openDoor(hypervisor, { kind: "request-lost", request: 4 });
    const more = { token: TOKEN };
    await expect(
      call("vm.create:1", { ...SMALL, name: "wbe1", disks: [{ sizeMib: 1 }] }, { ...more, provider: door.provider }),
    ).rejects.toMatchObject({
      outcome: "unknown",
    });
    await door.close();
    expect(await names()).toContain("wbe1");
    await call("vm.create:1", { ...SMALL, name: "web1", disks: [{ sizeMib: 1 }] }, more);
    expect(await names()).toEqual(["web1", IMAGE, `web1-disk1-${TOKEN}.qcow2`]);
  });

  test("what somebody else has changed since is left, and said", async () => {
    await call("vm.create:1", { ...SMALL, name: "web1" });
    const input = { vm: "web1", vcpus: 2 };
    const resized = await call("vm.resize:1", input);
    await hypervisor.virsh("setvcpus", "web1", "1", "--config");
    await expect(undo("vm.resize:1", input, resized)).rejects.toThrow("Somebody has changed processors or memory");
    const volume = (await call("volume.create:1", { name: "data1", sizeMib: 1 }))["volume"] ?? null;
    await call("volume.attach:1", { vm: "web1", volume });
    // A second call finds it attached: its undo leaves it.
    const again = await call("volume.attach:1", { vm: "web1", volume });
    expect(again).toMatchObject({ token: null, target: "vda" });
    await undo("volume.attach:1", { vm: "web1", volume }, again);
    expect(await call("vm.read:1", { vm: "web1" })).toMatchObject({ disks: [{ target: "vda" }] });
    await expect(call("volume.delete:1", { volume })).rejects.toThrow("detach it there");
    await expect(call("volume.resize:1", { volume, sizeMib: 1 })).resolves.toBeDefined();
    const made = await call("vm.create:1", { ...SMALL, name: "web2" });
    await hypervisor.virsh("undefine", "web2");
    await call("vm.create:1", { ...SMALL, name: "web2" });
    await expect(call("vm.delete:1", { vm: "web2", token: made["token"] ?? null })).rejects.toThrow("it stays");
  });

  test("notes of what was before are gone when the end is stored, and nothing else of a machine changes", async () => {
    await call("vm.create:1", { ...SMALL, name: "web1" });
    const before = await hypervisor.virsh("dumpxml", "web1", "--inactive");
    const input = { vm: "web1", vcpus: 2 };
    const resized = await call("vm.resize:1", input);
    await undo("vm.resize:1", input, resized);
    expect((await hypervisor.virsh("dumpxml", "web1", "--inactive")).replace(/ current='1'/, "")).toBe(before.replace(/ current='1'/, ""));
    const own = attempt({ token: TOKEN });
    await connector.functions["vm.resize:1"]?.run(input, own);
    expect(await hypervisor.virsh("dumpxml", "web1", "--inactive")).toContain(`urn:tutti:note:${TOKEN}`);
    await own.store();
    expect(await hypervisor.virsh("dumpxml", "web1", "--inactive")).not.toContain("urn:tutti:note");
  });

  test.each<[string, JsonObject]>([
    ["a name that is an id", { name: "17" }],
    ["a name that is an option", { name: "--all" }],
    ["a name that is a UUID", { name: "abcdef01-0000-0000-0000-000000000000" }],
    ["a name with a command in it", { name: "a; destroy web1" }],
    ["an image elsewhere", { name: "a", image: "../etc/passwd" }],
    ["a kernel that is more than a path", { name: "a", boot: { kernel: "/x' /><y" } }],
    ["a description that XML can't hold", { name: "a", description: "\u0000" }],
    ["fewer processors at most than at first", { name: "a", vcpus: 2, vcpusMax: 1 }],
  ])("never begins: %s", async (_, input) => {
    await expect(call("vm.create:1", input)).rejects.toMatchObject({ outcome: "never-began", errorKind: "validation" });
  });

  test("the check says what is wrong with an address, an account, a program, a pool", async () => {
    const { configuration } = hypervisor.provider;
    const check = (more: JsonObject): unknown => connector.check?.(attempt({ provider: providerOf({ ...configuration, ...more }) }));
    expect(await check({})).toEqual({ status: "healthy", version: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
    expect(await check({ uri: "qemu+tcp://127.0.0.1:1/system" })).toMatchObject({ problem: expect.stringContaining("can't be reached") });
    expect(await check({ uri: hypervisor.uri.replace("/system", "/nothing") })).toMatchObject({
      problem: expect.stringContaining("leads nowhere"),
    });
    expect(await check({ virsh: "/nowhere/virsh" })).toMatchObject({ problem: expect.stringContaining("install libvirt-clients") });
    expect(await check({ pool: "nothing" })).toMatchObject({
      status: "degraded",
      problem: expect.stringContaining("no storage pool nothing"),
    });
  });
});
