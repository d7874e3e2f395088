import { z } from "@tutti/connector-kit";
import { NOTE_PREFIX } from "./note-name.ts";
import type { RuntimeApi } from "./runtime-api.ts";

/** Types of lines in `show stat`: backends and servers. */
const BACKENDS_AND_SERVERS = 6;

const Line = z.strictObject({
  name: z.string(),
  /** As HAProxy says it: UP, DOWN, MAINT, DRAIN, `no check`, `UP 1/2` … */
  status: z.string(),
  weight: z.int(),
  queued: z.int(),
  sessions: z.int(),
  sessionsTotal: z.int(),
  bytesIn: z.int(),
  bytesOut: z.int(),
  errors: z.int().meta({ description: "Connections that failed, and answers with errors" }),
  secondsSinceChange: z.int(),
});
type Line = z.infer<typeof Line>;
export const PoolStatistics = z.strictObject({ pool: Line, members: z.array(Line) });

/** @returns undefined when there is no such pool. */
export async function loadStatistics(api: RuntimeApi, pool: string): Promise<z.infer<typeof PoolStatistics> | undefined> {
  const said = await api.ask(`show stat -1 ${BACKENDS_AND_SERVERS} -1`);
  const [header, ...lines] = said.split("\n");
  if (header === undefined || !header.startsWith("# pxname,svname,") || lines.pop() !== "") throw api.strange();
  const names = header.slice(2).split(",");
  const own = lines.map((line) => cellsOf(names, line)).filter((cells) => cells.get("pxname") === pool);
  const backend = own.find((cells) => cells.get("svname") === "BACKEND");
  if (backend === undefined) return undefined;
  const members = own.filter((cells) => cells !== backend && cells.get("svname")?.startsWith(NOTE_PREFIX) === false);
  return { pool: lineOf(backend, pool), members: members.map((cells) => lineOf(cells, cells.get("svname") ?? "")) };
}

/** Names and statuses of HAProxy hold no comma; what may (the last check's words) comes after all that is read here. */
function cellsOf(names: readonly string[], line: string): ReadonlyMap<string, string> {
  const cells = line.split(",");
  return new Map(names.map((name, index) => [name, cells[index] ?? ""]));
}

function lineOf(cells: ReadonlyMap<string, string>, name: string): Line {
  const count = (column: string): number => {
    const number = Number(cells.get(column) ?? "");
    return Number.isSafeInteger(number) ? number : 0;
  };
  return {
    name,
    status: cells.get("status") ?? "",
    weight: count("weight"),
    queued: count("qcur"),
    sessions: count("scur"),
    sessionsTotal: count("stot"),
    bytesIn: count("bin"),
    bytesOut: count("bout"),
    errors: count("econ") + count("eresp"),
    secondsSinceChange: count("lastchg"),
  };
}
