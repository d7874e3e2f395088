import { type ConnectorFunction, parseInput, z } from "@tutti/connector-kit";
import type { JsonObject, Token } from "@tutti/model";
import type { Element } from "@xmldom/xmldom";
import { allDomains, type Domain, readDomain, theDomain } from "./domains.ts";
import { SnapshotName, Text, TokenText, VmReference } from "./names.ts";
import { quoted, TIMES, Virsh, type VirshEnvironment } from "./virsh.ts";
import { child, textOf, writeXml, xml } from "./xml.ts";

const TOKEN_AT_END = / ?(tok_[0-9a-f]{32})$/;

/** A snapshot of a machine. */
export const Snapshot = z.strictObject({
  vm: z.string(),
  name: z.string(),
  /** Of the call that made it; null for those of others. */
  token: z.string().nullable(),
  description: z.string().nullable(),
  /** shutoff, running …: what the machine did. */
  state: z.string(),
  parent: z.string().nullable(),
});
export type Snapshot = z.infer<typeof Snapshot>;

const CreateInput = z.strictObject({
  vm: VmReference,
  name: SnapshotName,
  description: Text.optional().meta({ description: "For the people who look at it" }),
});
const CreateOutput = z.strictObject({ vm: z.string(), uuid: z.string(), name: z.string(), token: z.string() });
const RevertInput = z.strictObject({
  vm: VmReference,
  name: SnapshotName,
  start: z.boolean().optional().meta({ description: "Whether the machine runs then; left out: as it did when the snapshot was made" }),
});
const DeleteInput = z.strictObject({
  vm: VmReference,
  name: SnapshotName,
  token: TokenText.optional().meta({ description: "Only the snapshot that the call with this token made" }),
});
const Named = z.strictObject({ vm: z.string(), name: z.string() });
const ListInput = z.strictObject({ vm: VmReference });

export function snapshotId({ vm, name }: Pick<Snapshot, "vm" | "name">): string {
  return `${vm} ${name}`;
}

export function snapshotFunctions(environment: VirshEnvironment): Readonly<Record<string, ConnectorFunction>> {
  return {
    "snapshot.create:1": create(environment),
    "snapshot.revert:1": revert(environment),
    "snapshot.delete:1": remove(environment),
    "snapshot.list:1": {
      ...TIMES,
      title: "List the snapshots of a machine",
      input: ListInput,
      output: z.strictObject({ snapshots: z.array(Snapshot) }),
      effect: "read",
      run: async (given, attempt) => {
        const virsh = new Virsh(environment, attempt);
        return { snapshots: [...(await snapshotsOf(virsh, [await theDomain(virsh, parseInput(ListInput, given).vm)]))] };
      },
    },
  };
}

/** Findable and unique: its description ends with the token, and a machine has one snapshot of a name. */
function create(environment: VirshEnvironment): ConnectorFunction {
  const planned = async (
    virsh: Virsh,
    given: JsonObject,
    token: Token,
  ): Promise<{ readonly domain: Domain; readonly present: Snapshot | undefined; readonly output: z.infer<typeof CreateOutput> }> => {
    const { vm, name } = parseInput(CreateInput, given);
    const domain = await theDomain(virsh, vm);
    const present = await readSnapshot(virsh, domain, name);
    if (present !== undefined && present.token !== token)
      throw virsh.refusal(
        `The machine ${domain.vm.name} has a snapshot ${name} already, and this call has not made it. Choose another name.`,
      );
    return { domain, present, output: { vm: domain.vm.name, uuid: domain.vm.uuid, name, token } };
  };
  return {
    ...TIMES,
    title: "Make a snapshot of a machine: its disks, and its memory while it runs",
    input: CreateInput,
    output: CreateOutput,
    effect: "findable",
    unique: true,
    creates: "snapshot",
    undo: { call: "snapshot.delete:1", with: { vm: "${ .output.uuid }", name: "${ .output.name }", token: "${ .output.token }" } },
    run: async (given, attempt) => {
      const virsh = new Virsh(environment, attempt);
      const { domain, present, output } = await planned(virsh, given, attempt.token);
      if (present !== undefined) return output;
      const { name, description } = parseInput(CreateInput, given);
      const text = description === undefined ? attempt.token : `${description} ${attempt.token}`;
      const input = writeXml(xml("domainsnapshot", {}, xml("name", {}, name), xml("description", {}, text)));
      const end = await virsh.change(["snapshot-create", "--domain", domain.vm.uuid, "/dev/stdin"], { input });
      // Somebody was faster, perhaps an earlier attempt: who, shows its token.
      if (end.kind !== "done" && (await planned(virsh, given, attempt.token)).present === undefined)
        throw virsh.refusal(`The snapshot can't be made: ${end.said}`);
      return output;
    },
    find: async (given, attempt) => {
      const { vm, name } = parseInput(CreateInput, given);
      const virsh = new Virsh(environment, attempt);
      const domain = await readDomain(virsh, vm);
      const present = domain === undefined ? undefined : await readSnapshot(virsh, domain, name);
      if (domain === undefined || present?.token !== attempt.token) return undefined;
      return { vm: domain.vm.name, uuid: domain.vm.uuid, name, token: attempt.token };
    },
    preview: async (given, attempt) => {
      const { domain, present, output } = await planned(new Virsh(environment, attempt), given, attempt.token);
      if (present !== undefined) return { effects: [], output };
      const { description = null, name } = parseInput(CreateInput, given);
      const after = { vm: domain.vm.name, name, description, token: attempt.token, state: domain.vm.isRunning ? "running" : "shutoff" };
      return { effects: [{ kind: "create", resource: "snapshot", name: snapshotId(after), after, isReversible: true }], output };
    },
  };
}

/** Idempotent: a state that was. What has been written since is lost, so it can't be undone. */
function revert(environment: VirshEnvironment): ConnectorFunction {
  const planned = async (virsh: Virsh, given: JsonObject): Promise<{ readonly domain: Domain; readonly snapshot: Snapshot }> => {
    const { vm, name } = parseInput(RevertInput, given);
    const domain = await theDomain(virsh, vm);
    const snapshot = await readSnapshot(virsh, domain, name);
    if (snapshot === undefined)
      throw virsh.refusal(`The machine ${domain.vm.name} has no snapshot ${name}; \`snapshot.list\` tells which there are.`);
    return { domain, snapshot };
  };
  return {
    ...TIMES,
    title: "Put a machine back to a snapshot; what was written since is lost",
    input: RevertInput,
    output: Named,
    effect: "idempotent",
    changes: "vm",
    irreversible: true,
    run: async (given, attempt) => {
      const virsh = new Virsh(environment, attempt);
      const { domain } = await planned(virsh, given);
      const { name, start } = parseInput(RevertInput, given);
      const state = start === undefined ? [] : [start ? "--running" : "--paused"];
      await virsh.must(["snapshot-revert", "--domain", domain.vm.uuid, "--snapshotname", name, ...(start === false ? [] : state)]);
      if (start === false) {
        const ended = await virsh.change(["destroy", "--domain", domain.vm.uuid]);
        if (ended.kind === "refused" && !ended.said.includes("not running"))
          throw virsh.refusal(`The machine can't be ended: ${ended.said}`);
      }
      return { vm: domain.vm.name, name };
    },
    preview: async (given, attempt) => {
      const { domain, snapshot } = await planned(new Virsh(environment, attempt), given);
      const { vm } = domain;
      const output = { vm: vm.name, name: snapshot.name };
      return { effects: [{ kind: "change", resource: "vm", name: vm.name, before: vm, isReversible: false }], output };
    },
  };
}

/** Idempotent: what is gone is gone, and what it held is lost. */
function remove(environment: VirshEnvironment): ConnectorFunction {
  const planned = async (
    virsh: Virsh,
    given: JsonObject,
  ): Promise<{ readonly domain: Domain | undefined; readonly snapshot: Snapshot | undefined; readonly output: z.infer<typeof Named> }> => {
    const { vm, name, token } = parseInput(DeleteInput, given);
    const domain = await readDomain(virsh, vm);
    const snapshot = domain === undefined ? undefined : await readSnapshot(virsh, domain, name);
    if (snapshot !== undefined && token !== undefined && snapshot.token !== token)
      throw virsh.refusal(`The snapshot ${name} of ${snapshot.vm} is not the one that the call ${token} made: it stays.`);
    return { domain, snapshot, output: { vm, name } };
  };
  return {
    ...TIMES,
    title: "Delete a snapshot; the machine stays as it is",
    input: DeleteInput,
    output: Named,
    effect: "idempotent",
    deletes: "snapshot",
    irreversible: true,
    run: async (given, attempt) => {
      const virsh = new Virsh(environment, attempt);
      const { domain, snapshot, output } = await planned(virsh, given);
      if (domain === undefined || snapshot === undefined) return output;
      const end = await virsh.change(["snapshot-delete", "--domain", domain.vm.uuid, "--snapshotname", snapshot.name]);
      if (end.kind === "refused") throw virsh.refusal(`The snapshot can't be deleted: ${end.said}`);
      return output;
    },
    preview: async (given, attempt) => {
      const { snapshot, output } = await planned(new Virsh(environment, attempt), given);
      if (snapshot === undefined) return { effects: [], output };
      return {
        effects: [{ kind: "delete", resource: "snapshot", name: snapshotId(snapshot), before: snapshot, isReversible: false }],
        output,
      };
    },
  };
}

/** The snapshots of all machines. @throws ConnectorError. */
export async function allSnapshots(virsh: Virsh): Promise<readonly Snapshot[]> {
  return snapshotsOf(virsh, await allDomains(virsh));
}

async function snapshotsOf(virsh: Virsh, domains: readonly Domain[]): Promise<readonly Snapshot[]> {
  const found: Snapshot[] = [];
  for (const { vm } of domains) {
    const listed = await virsh.read("snapshot-list", "--domain", vm.uuid, "--name");
    const names = (listed ?? "")
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
    const documents = await virsh.readDocuments(
      "domainsnapshot",
      names.map((name) => dumpCommand(vm.uuid, name)),
    );
    found.push(...documents.map((document) => snapshotOf(virsh, vm.name, document)));
  }
  return found;
}

/** @throws ConnectorError. @returns undefined when the machine has none of that name. */
export async function readSnapshot(virsh: Virsh, { vm }: Domain, name: string): Promise<Snapshot | undefined> {
  const [document] = await virsh.readDocuments("domainsnapshot", [dumpCommand(vm.uuid, name)]);
  return document === undefined ? undefined : snapshotOf(virsh, vm.name, document);
}

function snapshotOf(virsh: Virsh, vm: string, document: Element): Snapshot {
  const name = textOf(child(document, "name"));
  if (name === undefined) throw virsh.strange();
  const description = textOf(child(document, "description"));
  return {
    vm,
    name,
    token: TOKEN_AT_END.exec(description ?? "")?.[1] ?? null,
    description: description?.replace(TOKEN_AT_END, "") || null,
    state: textOf(child(document, "state")) ?? "unknown",
    parent: textOf(child(document, "parent", "name")) ?? null,
  };
}

function dumpCommand(uuid: string, name: string): string {
  return `snapshot-dumpxml --domain ${quoted(uuid)} --snapshotname ${quoted(name)}`;
}
