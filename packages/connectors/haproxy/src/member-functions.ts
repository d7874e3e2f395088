import { isDeepStrictEqual } from "node:util";
import { type Attempt, type ConnectorFunction, parseInput, z } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import {
  addressOfToken,
  CheckState,
  loadMember,
  loadServers,
  Member,
  memberId,
  MemberState,
  type ObservedMember,
  shown,
} from "./members.ts";
import { mustHoldToken, noPool, setMember } from "./member-orders.ts";
import { Address, canonicalAddress, MemberName, PoolName, Port, Weight } from "./names.ts";
import { changeKept } from "./notes.ts";
import { ANSWER_MS, RuntimeApi } from "./runtime-api.ts";
import { removeMember, Removal, RemoveInput } from "./remove-member.ts";

/** Letters of the token in a name that nobody has given: two calls of one pool hardly share them, and then the second one is refused. */
const NAME_HEX = 16;
const TIMES = { requestTimeoutMs: ANSWER_MS, settleMs: 0 };

const Check = z
  .strictObject({
    intervalMs: z.int().min(10).max(3_600_000).default(2000),
    rise: z.int().min(1).max(100).default(2).meta({ description: "Checks in a row until the member is up" }),
    fall: z.int().min(1).max(100).default(3).meta({ description: "Checks in a row until the member is down" }),
  })
  .meta({ description: "Health check, as the pool's configuration says; left out: none" });
const CreateInput = z.strictObject({
  pool: PoolName,
  name: MemberName.optional().meta({ description: "Name of the server; left out: one that follows from the call's token" }),
  address: Address,
  port: Port,
  weight: Weight.default(1),
  connectionsMax: z.int().min(1).max(10_000_000).optional(),
  check: Check.optional(),
  state: MemberState.default("ready").meta({ description: "`drain` takes no new sessions, `maint` no traffic at all" }),
});
type CreateInput = z.infer<typeof CreateInput>;
const CreateOutput = z.strictObject({ pool: z.string(), name: z.string(), address: z.string(), port: z.int(), token: z.string() });

const Settings = z.strictObject({
  address: z.string().nullable(),
  port: z.int(),
  weight: z.int(),
  state: MemberState,
  check: CheckState,
});
type Settings = z.infer<typeof Settings>;
const ChangeInput = z.strictObject({
  pool: PoolName,
  name: MemberName,
  address: Address.nullish(),
  port: Port.optional(),
  weight: Weight.optional(),
  state: MemberState.optional().meta({ description: "`drain` takes no new sessions, `maint` no traffic at all" }),
  check: CheckState.optional().meta({ description: "Health check; a member that was made without one has `none`" }),
  ifIs: Settings.optional().meta({ description: "Only while the member is so, or as wanted: for undos" }),
});
const ChangeOutput = z.strictObject({ pool: z.string(), name: z.string(), after: Settings, before: Settings });

/** Findable: the token stands in the server. Unique: HAProxy refuses a second server of a name in a pool. */
const create: ConnectorFunction = {
  ...TIMES,
  title: "Add a member to a pool",
  input: CreateInput,
  output: CreateOutput,
  effect: "findable",
  unique: true,
  creates: "pool-member",
  undo: { call: "pool-member.delete:1", with: { pool: "${ .output.pool }", name: "${ .output.name }", token: "${ .output.token }" } },
  run: async (given, attempt) => {
    const input = parseInput(CreateInput, given);
    const api = new RuntimeApi(attempt);
    const wanted = wantedMember(input, attempt);
    const servers = await loadServers(api, input.pool);
    if (servers === undefined) throw noPool(api, input.pool);
    let present = servers.members.find(({ member }) => member.name === wanted.name)?.member;
    if (present === undefined) {
      await add(api, input, { wanted, attempt });
      present = (await loadMember(api, input.pool, wanted.name))?.member;
      if (present === undefined) throw api.refusal(`Somebody has deleted ${memberId(wanted)} in the moment in which it was made.`);
    }
    mustBeOurs(api, present, attempt);
    await setMember(api, present, wanted);
    return outputOf(wanted, attempt);
  },
  find: async (given, attempt) => {
    const input = parseInput(CreateInput, given);
    const wanted = wantedMember(input, attempt);
    const member = (await loadMember(new RuntimeApi(attempt), input.pool, wanted.name))?.member;
    // Half made is not made: the next attempt finishes it.
    return isDeepStrictEqual(member, wanted) ? outputOf(wanted, attempt) : undefined;
  },
  preview: async (given, attempt) => {
    const input = parseInput(CreateInput, given);
    const api = new RuntimeApi(attempt);
    const wanted = wantedMember(input, attempt);
    const servers = await loadServers(api, input.pool);
    if (servers === undefined) throw noPool(api, input.pool);
    const present = servers.members.find(({ member }) => member.name === wanted.name)?.member;
    const output = outputOf(wanted, attempt);
    if (present !== undefined) {
      mustBeOurs(api, present, attempt);
      return { effects: [], output };
    }
    return {
      effects: [{ kind: "create", resource: "pool-member", name: memberId(wanted), after: shown(wanted), isReversible: true }],
      output,
    };
  },
};

/** Idempotent: a desired state, and what was before is kept until the end is stored. */
const change: ConnectorFunction = {
  ...TIMES,
  title: "Change a member: address, weight, state, health check",
  input: ChangeInput,
  output: ChangeOutput,
  effect: "idempotent",
  changes: "pool-member",
  undo: {
    call: "pool-member.change:1",
    with: {
      pool: "${ .output.pool }",
      name: "${ .output.name }",
      address: "${ .output.before.address }",
      port: "${ .output.before.port }",
      weight: "${ .output.before.weight }",
      state: "${ .output.before.state }",
      check: "${ .output.before.check }",
      ifIs: "${ .output.after }",
    },
  },
  run: async (given, attempt) => {
    const api = new RuntimeApi(attempt);
    const { member, after } = await plannedChange(api, given);
    const { pool, name } = member;
    const before = await changeKept<Settings>(api, attempt, {
      pool,
      current: settingsOf(member),
      isDone: isDeepStrictEqual(settingsOf(member), after),
      apply: () => setMember(api, member, { ...member, ...after }),
    });
    return { pool, name, after, before };
  },
  preview: async (given, attempt) => {
    const { member, after } = await plannedChange(new RuntimeApi(attempt), given);
    const { pool, name } = member;
    const output = { pool, name, after, before: settingsOf(member) };
    if (isDeepStrictEqual(output.before, after)) return { effects: [], output };
    const will = { ...member, ...after };
    return {
      effects: [
        { kind: "change", resource: "pool-member", name: memberId(member), before: shown(member), after: shown(will), isReversible: true },
      ],
      output,
    };
  },
};

/** Idempotent: what is gone is gone. HAProxy does not tell all that a server was made with, so it can't be undone. */
const remove: ConnectorFunction = {
  ...TIMES,
  title: "Delete a member that was added at run time",
  input: RemoveInput,
  output: Removal,
  effect: "idempotent",
  deletes: "pool-member",
  irreversible: true,
  run: (given, attempt) => removeMember(given, attempt),
  preview: async (given, attempt) => {
    const { pool, name, token } = parseInput(RemoveInput, given);
    const api = new RuntimeApi(attempt);
    const member = (await loadMember(api, pool, name))?.member;
    if (member === undefined) return { effects: [], output: { pool, name } };
    mustHoldToken(api, member, token);
    return {
      effects: [{ kind: "delete", resource: "pool-member", name: memberId(member), before: shown(member), isReversible: false }],
      output: { pool, name },
    };
  },
};

const ListInput = z.strictObject({ pool: PoolName.optional().meta({ description: "Only this pool's" }) });
const list: ConnectorFunction = {
  ...TIMES,
  title: "List the members of pools",
  input: ListInput,
  output: z.strictObject({ members: z.array(Member) }),
  effect: "read",
  run: async (given, attempt) => {
    const { pool } = parseInput(ListInput, given);
    const api = new RuntimeApi(attempt);
    const servers = await loadServers(api, pool);
    if (servers === undefined) throw noPool(api, pool ?? "");
    return { members: servers.members.map(({ member }) => member) };
  },
};

export const MEMBER_FUNCTIONS: Readonly<Record<string, ConnectorFunction>> = {
  "pool-member.create:1": create,
  "pool-member.change:1": change,
  "pool-member.delete:1": remove,
  "pool-member.list:1": list,
};

function wantedMember(input: CreateInput, attempt: Attempt): Member {
  const { pool, address, port, weight, state, check, name = `m-${attempt.token.slice("tok_".length, "tok_".length + NAME_HEX)}` } = input;
  return {
    pool,
    name,
    address: canonicalAddress(address),
    port,
    weight,
    state,
    check: check === undefined ? "none" : "on",
    token: attempt.token,
  };
}

function outputOf({ pool, name, address, port }: Member, attempt: Attempt): z.infer<typeof CreateOutput> {
  return { pool, name, address: address ?? "", port, token: attempt.token };
}

function mustBeOurs(api: RuntimeApi, member: Member, attempt: Attempt): void {
  if (member.token === attempt.token) return;
  const whose = member.token === null ? "" : ` The call ${member.token} has.`;
  throw api.refusal(
    `There is a member ${memberId(member)} already, and this call has not made it.${whose} Take another name, or work on the member as it is.`,
  );
}

/** A server begins in maintenance and unchecked, so nothing is sent to one that is half made. */
async function add(api: RuntimeApi, input: CreateInput, how: { readonly wanted: Member; readonly attempt: Attempt }): Promise<void> {
  const { check, connectionsMax } = input;
  const { wanted, attempt } = how;
  const words = [`add server ${memberId(wanted)} ${socketAddress(wanted)} weight ${wanted.weight}`];
  if (check !== undefined) words.push(`check inter ${check.intervalMs}ms rise ${check.rise} fall ${check.fall}`);
  if (connectionsMax !== undefined) words.push(`maxconn ${connectionsMax}`);
  words.push(`agent-addr ${addressOfToken(attempt.token)}`);
  const said = await api.order(words.join(" "));
  // Somebody was faster, perhaps an earlier attempt: who, shows its token.
  if (!said.startsWith("New server registered") && !said.startsWith("Already exists")) throw api.refused("add server", said);
}

function socketAddress({ address, port }: Member): string {
  return address?.includes(":") === true ? `[${address}]:${port}` : `${address}:${port}`;
}

function settingsOf({ address, port, weight, state, check }: Member): Settings {
  return { address, port, weight, state, check };
}

async function plannedChange(api: RuntimeApi, given: JsonObject): Promise<{ readonly member: Member; readonly after: Settings }> {
  const input = parseInput(ChangeInput, given);
  const found: ObservedMember | undefined = await loadMember(api, input.pool, input.name);
  if (found === undefined)
    throw api.refusal(`There is no member ${input.name} in a pool ${input.pool}; \`pool-member.list\` tells which there are.`);
  const { member } = found;
  const current = settingsOf(member);
  const after = {
    address: typeof input.address === "string" ? canonicalAddress(input.address) : current.address,
    port: input.port ?? current.port,
    weight: input.weight ?? current.weight,
    state: input.state ?? current.state,
    check: input.check ?? current.check,
  };
  if ((after.check === "none") !== (current.check === "none"))
    throw api.refusal(
      current.check === "none"
        ? `${memberId(member)} was made without a health check, so there is none to turn ${after.check}.`
        : `The health check of ${memberId(member)} can be turned off, and not taken away.`,
    );
  if (input.ifIs !== undefined && !isDeepStrictEqual(current, input.ifIs) && !isDeepStrictEqual(current, after))
    throw api.refusal(`${memberId(member)} is not what it was: somebody has changed it since, so it stays as it is.`);
  return { member, after };
}
