import { type Attempt, ConnectorError } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { loadServers, type ServersState } from "./members.ts";
import { beforeIn, noteName, notesOf } from "./note-name.ts";
import type { RuntimeApi } from "./runtime-api.ts";

/** A command has to fit into a buffer of HAProxy, which has 16 KiB by default. */
const NOTE_CHARACTERS_MAX = 8000;

export interface KeptChange<State extends Json> {
  /** Where the note is written if that pool takes it; undefined for what belongs to no pool. */
  readonly pool: string | undefined;
  readonly current: State;
  readonly isDone: boolean;
  readonly apply: () => Promise<unknown>;
}

/**
 * Carries out a change and gives what was there before it, also when an earlier attempt of the token has carried it out, or a part of it, and its answer
 * was lost.
 *
 * HAProxy has no place for remarks, so the note is a server: in maintenance from its first moment, its name is token and state. It goes when the end is
 * stored. A note of the token counts before what is there now, which may be half of our own work. When nobody comes back for it, it takes no traffic,
 * and the next reload of HAProxy forgets it.
 */
export async function changeKept<State extends Json>(api: RuntimeApi, attempt: Attempt, change: KeptChange<State>): Promise<State> {
  attempt.afterStored(async (end) => {
    if (end === "completed") await removeNotes(api, attempt);
  });
  const servers = await loadServers(api);
  const kept = servers === undefined ? undefined : noteOf(servers, attempt);
  // Kept by an earlier attempt, which read the same kind of state.
  if (kept !== undefined && change.isDone) return kept.before as State;
  if (change.isDone) return change.current;
  if (kept === undefined) await writeNote(api, attempt, change);
  try {
    await change.apply();
  } catch (error) {
    // Refused for good: a later attempt begins anew.
    if (error instanceof ConnectorError && error.outcome === "answered" && !error.retryable)
      await removeNotes(api, attempt).catch(() => {});
    throw error;
  }
  return kept === undefined ? change.current : (kept.before as State);
}

function noteOf(servers: ServersState, attempt: Attempt): { readonly before: Json } | undefined {
  const note = servers.notes.find(({ name }) => name.startsWith(notesOf(attempt.token)));
  return note === undefined ? undefined : beforeIn(note.name);
}

async function writeNote<State extends Json>(api: RuntimeApi, attempt: Attempt, { pool, current }: KeptChange<State>): Promise<void> {
  const name = noteName(attempt.token, current);
  if (name.length > NOTE_CHARACTERS_MAX) throw api.refusal("What is there now is too long to be kept for the undo.");
  let said = "there is no pool.";
  for (const each of await poolsFor(api, pool)) {
    said = await api.order(`add server ${each}/${name} 127.0.0.1:1`);
    if (said.startsWith("New server registered") || said.startsWith("Already exists")) return;
  }
  throw api.refused("add server", `no pool takes the note of what was there before: ${said}`);
}

/** The pools, the wanted one first: not all balance in a way that takes servers at run time. */
async function poolsFor(api: RuntimeApi, wanted: string | undefined): Promise<readonly string[]> {
  const pools = await listPools(api);
  return wanted === undefined ? pools : [wanted, ...pools.filter((pool) => pool !== wanted)];
}

/** The names of all pools. @throws ConnectorError. */
export async function listPools(api: RuntimeApi): Promise<readonly string[]> {
  const [header, ...lines] = (await api.ask("show backend")).split("\n");
  if (header !== "# name" || lines.pop() !== "") throw api.strange();
  return lines;
}

async function removeNotes(api: RuntimeApi, attempt: Attempt): Promise<void> {
  const servers = await loadServers(api);
  for (const { pool, name } of servers?.notes ?? [])
    if (name.startsWith(notesOf(attempt.token))) await api.order(`del server ${pool}/${name}`);
}
