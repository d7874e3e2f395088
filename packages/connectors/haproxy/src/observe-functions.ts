import { setTimeout as pause } from "node:timers/promises";
import { type ConnectorFunction, ConnectorError, parseInput, z } from "@tutti/connector-kit";
import { loadServers, memberId } from "./members.ts";
import { noPool } from "./member-orders.ts";
import { MemberName, PoolName } from "./names.ts";
import { listPools } from "./notes.ts";
import { ANSWER_MS, RuntimeApi } from "./runtime-api.ts";
import { loadStatistics, PoolStatistics } from "./statistics.ts";

const LOOK_EVERY_MS = 500;
const WAIT_SECONDS_MAX = 24 * 3600;
const TIMES = { requestTimeoutMs: ANSWER_MS, settleMs: 0 };

const pools: ConnectorFunction = {
  ...TIMES,
  title: "List the pools",
  input: z.strictObject({}),
  output: z.strictObject({ pools: z.array(z.strictObject({ name: z.string(), members: z.int() })) }),
  effect: "read",
  run: async (given, attempt) => {
    parseInput(z.strictObject({}), given);
    const api = new RuntimeApi(attempt);
    const names = await listPools(api);
    const members = (await loadServers(api))?.members ?? [];
    return { pools: names.map((name) => ({ name, members: members.filter(({ member }) => member.pool === name).length })) };
  },
};

const AwaitInput = z.strictObject({
  pool: PoolName,
  name: MemberName,
  status: z.enum(["up", "down"]).default("up").meta({ description: "`up`: it runs, and its health check has passed if it is on" }),
  withinSeconds: z.int().min(0).max(WAIT_SECONDS_MAX).default(300),
});
const awaiting: ConnectorFunction = {
  ...TIMES,
  title: "Wait until a member is up, or down",
  input: AwaitInput,
  output: z.strictObject({ pool: z.string(), name: z.string(), status: z.enum(["up", "down"]) }),
  effect: "read",
  run: async (given, attempt) => {
    const { pool, name, status, withinSeconds } = parseInput(AwaitInput, given);
    const api = new RuntimeApi(attempt);
    const endMs = performance.now() + withinSeconds * 1000;
    for (;;) {
      const found = (await loadServers(api, pool))?.members.find(({ member }) => member.name === name);
      if (found === undefined)
        throw api.refusal(`There is no member ${name} in a pool ${pool}; \`pool-member.list\` tells which there are.`);
      if (found.isUp === (status === "up")) return { pool, name, status };
      if (performance.now() >= endMs) {
        const { state, check } = found.member;
        throw new ConnectorError(
          `${memberId(found.member)} is not ${status} after ${withinSeconds} s (state ${state}, health check ${check}): look at its service, and at what the check asks for.`,
          { kind: "timeout", outcome: "answered" },
        );
      }
      attempt.heartbeat();
      // An abort is noticed by the next question.
      await pause(LOOK_EVERY_MS, undefined, { signal: attempt.signal }).catch(() => {});
    }
  },
};

const StatisticsInput = z.strictObject({ pool: PoolName });
const statistics: ConnectorFunction = {
  ...TIMES,
  title: "Read the statistics of a pool and its members",
  input: StatisticsInput,
  output: PoolStatistics,
  effect: "read",
  run: async (given, attempt) => {
    const { pool } = parseInput(StatisticsInput, given);
    const api = new RuntimeApi(attempt);
    const found = await loadStatistics(api, pool);
    if (found === undefined) throw noPool(api, pool);
    return found;
  },
};

export const OBSERVE_FUNCTIONS: Readonly<Record<string, ConnectorFunction>> = {
  "pool.list:1": pools,
  "pool.statistics:1": statistics,
  "pool-member.await:1": awaiting,
};
