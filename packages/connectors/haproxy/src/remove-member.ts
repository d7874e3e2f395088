import { setTimeout as pause } from "node:timers/promises";
import { type Attempt, ConnectorError, parseInput, z } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import { loadMember, memberId } from "./members.ts";
import { mustHoldToken, quietly } from "./member-orders.ts";
import { MemberName, PoolName } from "./names.ts";
import { RuntimeApi } from "./runtime-api.ts";

/** A look costs HAProxy nothing, and half a second more is no long wait. */
const LOOK_EVERY_MS = 500;
const WAIT_SECONDS_MAX = 3600;

export const RemoveInput = z.strictObject({
  pool: PoolName,
  name: MemberName,
  token: z.string().optional().meta({ description: "Only the member that the call with this token made" }),
  withinSeconds: z.int().min(0).max(WAIT_SECONDS_MAX).default(60).meta({ description: "How long to wait for its connections to end" }),
  closeSessions: z.boolean().default(false).meta({ description: "End its connections instead of waiting for them" }),
});
export const Removal = z.strictObject({ pool: z.string(), name: z.string() });

/**
 * Takes a member out of traffic, waits for its connections, and deletes it. After a crash between, it is in maintenance, and the next attempt goes on.
 *
 * @throws ConnectorError `timeout`, may be tried again: it still has connections.
 */
export async function removeMember(given: JsonObject, attempt: Attempt): Promise<Json> {
  const { pool, name, token, withinSeconds, closeSessions } = parseInput(RemoveInput, given);
  const api = new RuntimeApi(attempt);
  const member = (await loadMember(api, pool, name))?.member;
  if (member === undefined) return { pool, name };
  mustHoldToken(api, member, token);
  const server = memberId(member);
  if (member.state !== "maint") await quietly(api, `set server ${server} state maint`);
  if (closeSessions) await quietly(api, `shutdown sessions server ${server}`);
  const endMs = performance.now() + withinSeconds * 1000;
  for (;;) {
    const said = await api.order(`del server ${server}`);
    if (said.startsWith("Server deleted") || said.startsWith("No such server")) return { pool, name };
    if (!said.includes("connections attached")) throw api.refused("del server", said);
    if (performance.now() >= endMs)
      throw new ConnectorError(
        `${server} takes no new traffic and still has connections after ${withinSeconds} s: wait longer (withinSeconds), or end them (closeSessions).`,
        { kind: "timeout", outcome: "answered", retryable: true },
      );
    attempt.heartbeat();
    await pause(LOOK_EVERY_MS, undefined, { signal: attempt.signal }).catch(() => {});
  }
}
