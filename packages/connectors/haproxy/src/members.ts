import { isIP } from "node:net";
import { z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { Token } from "@tutti/model/schemas";
import { NOTE_PREFIX } from "./note-name.ts";
import type { RuntimeApi } from "./runtime-api.ts";

/** Columns of `show servers state` (version 1), by name; later versions add some. */
const COLUMNS = [
  "be_name",
  "srv_name",
  "srv_addr",
  "srv_op_state",
  "srv_admin_state",
  "srv_uweight",
  "srv_check_result",
  "srv_check_state",
  "srv_agent_state",
  "srv_fqdn",
  "srv_port",
  "srv_agent_addr",
] as const;
type Row = Readonly<Record<(typeof COLUMNS)[number], string>>;

/** Bits of srv_admin_state: maintenance by command, by a tracked server, for want of an address (twice). */
const ADMIN_MAINTENANCE = 0x01 | 0x02 | 0x20 | 0x40;
/** Draining by command, by a tracked server. */
const ADMIN_DRAIN = 0x08 | 0x10;
/** Bits of srv_check_state and srv_agent_state. */
const CHECK_CONFIGURED = 0x02;
const CHECK_ENABLED = 0x04;
const OPERATION_RUNNING = 2;
const CHECK_PASSED = 3;

/** `ready` takes traffic, `drain` only what belongs to known sessions, `maint` none, and is not checked. */
export const MemberState = z.enum(["ready", "drain", "maint"]);
export const CheckState = z.enum(["none", "off", "on"]);

/** A server of a pool (HAProxy: backend), without what changes by itself. */
export const Member = z.strictObject({
  pool: z.string(),
  name: z.string(),
  /** Null while HAProxy takes it from DNS. */
  address: z.string().nullable(),
  port: z.int(),
  weight: z.int(),
  state: MemberState,
  check: CheckState,
  /** Of the call that made it; null for those of the configuration and of others. */
  token: z.string().nullable(),
});
export type Member = z.infer<typeof Member>;

/** A member with what HAProxy thinks of it now. */
export interface ObservedMember {
  readonly member: Member;
  /** It runs, and its check has passed if it has one. */
  readonly isUp: boolean;
}

/** A note of ours, as it stands among the servers. */
export interface SeenNote {
  readonly pool: string;
  readonly name: string;
}

export interface ServersState {
  readonly members: readonly ObservedMember[];
  readonly notes: readonly SeenNote[];
}

/** @returns undefined when there is no such pool. */
export async function loadServers(api: RuntimeApi, pool?: string): Promise<ServersState | undefined> {
  const said = await api.ask(`show servers state${pool === undefined ? "" : ` ${pool}`}`);
  if (said.startsWith("Can't find backend")) return undefined;
  const rows = rowsOf(said);
  if (rows === undefined) throw api.strange();
  const servers: { members: ObservedMember[]; notes: SeenNote[] } = { members: [], notes: [] };
  for (const row of rows) {
    if (row.srv_name.startsWith(NOTE_PREFIX)) servers.notes.push({ pool: row.be_name, name: row.srv_name });
    else servers.members.push(observedOf(row));
  }
  return servers;
}

export async function loadMember(api: RuntimeApi, pool: string, name: string): Promise<ObservedMember | undefined> {
  return (await loadServers(api, pool))?.members.find(({ member }) => member.name === name);
}

export function memberId({ pool, name }: Pick<Member, "pool" | "name">): string {
  return `${pool}/${name}`;
}

/**
 * A token as an address: both are 128 bits. It stands where the address of an agent check would, which is off: the only place in a server of the
 * runtime API that holds 128 bits, is shown, and has no effect.
 */
export function addressOfToken(token: Token): string {
  return (token.slice("tok_".length).match(/.{4}/g) ?? []).join(":");
}

/** The token that an IPv6 address stands for; undefined when it is none. */
export function tokenOfAddress(address: string): Token | undefined {
  if (isIP(address) !== 6 || address.includes(".")) return undefined;
  const [head = "", tail] = address.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const between = Array.from({ length: 8 - before.length - after.length }, () => "0");
  const groups = tail === undefined ? before : [...before, ...between, ...after];
  return Token.parse(`tok_${groups.map((group) => group.padStart(4, "0")).join("")}`);
}

/** Undefined when it is no such table. */
function rowsOf(said: string): readonly Row[] | undefined {
  const [version, header, ...lines] = said.split("\n");
  if (version !== "1" || header === undefined || !header.startsWith("# ")) return undefined;
  const names = header.slice(2).split(" ");
  if (!COLUMNS.every((column) => names.includes(column))) return undefined;
  // The table ends with an empty line; without it, it was cut off.
  if (lines.pop() !== "") return undefined;
  const rows: Row[] = [];
  for (const line of lines) {
    const cells = line.split(" ");
    if (cells.length < names.length) return undefined;
    // Every column of COLUMNS is among the names, and each name has its cell.
    rows.push(Object.fromEntries(COLUMNS.map((column) => [column, cells[names.indexOf(column)]])) as unknown as Row);
  }
  return rows;
}

function observedOf(row: Row): ObservedMember {
  const admin = Number(row.srv_admin_state);
  const checks = Number(row.srv_check_state);
  const isConfigured = (checks & CHECK_CONFIGURED) !== 0;
  const isChecked = (checks & CHECK_ENABLED) !== 0;
  const hasAgent = (Number(row.srv_agent_state) & CHECK_CONFIGURED) !== 0;
  const member: Member = {
    pool: row.be_name,
    name: row.srv_name,
    address: row.srv_fqdn === "-" && isIP(row.srv_addr) !== 0 ? row.srv_addr : null,
    port: Number(row.srv_port),
    weight: Number(row.srv_uweight),
    state: (admin & ADMIN_MAINTENANCE) !== 0 ? "maint" : (admin & ADMIN_DRAIN) !== 0 ? "drain" : "ready",
    check: !isConfigured ? "none" : isChecked ? "on" : "off",
    token: hasAgent ? null : (tokenOfAddress(row.srv_agent_addr) ?? null),
  };
  const isRunning = Number(row.srv_op_state) === OPERATION_RUNNING;
  return { member, isUp: isRunning && (!isChecked || Number(row.srv_check_result) === CHECK_PASSED) };
}

/** A member as data. */
export function shown(member: Member): Json {
  return { ...member };
}
