// Starts processes for Tutti, see process-starter.ts. Imports as little as it can: what it costs to start a process grows with its own size.
import { closeSync, constants, openSync } from "node:fs";
import { startHere, type StartRequest } from "./start-here.ts";
import type { StartOrder, StarterNews } from "./starter-message.ts";

process.title = "tutti-starter";
process.on("message", (order: StartOrder) => void carryOut(order));
// Tutti has ended. What was started goes on without us, as it would without Tutti.
process.on("disconnect", () => process.exit(0));

async function carryOut(order: StartOrder): Promise<void> {
  const { id } = order;
  try {
    const started = await start(order);
    tell({ id, kind: "started", pid: started.pid });
    tell({ id, kind: "ended", exit: await started.ended });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
    tell({ id, kind: "failed", message: error instanceof Error ? error.message : String(error), code });
  }
}

async function start(request: StartRequest): Promise<Awaited<ReturnType<typeof startHere>>> {
  const open: number[] = [];
  const opened = (path: string | undefined, flags: number): number | "ignore" => {
    if (path === undefined) return "ignore";
    const file = openSync(path, flags);
    open.push(file);
    return file;
  };
  /** A pipe whose reader has died would let us wait for ever: we read it ourselves until it is open. */
  const openPipe = (path: string | undefined): number | "ignore" => {
    opened(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return opened(path, constants.O_WRONLY);
  };
  try {
    return await startHere(request, [opened(request.stdin, constants.O_RDONLY), openPipe(request.stdout), openPipe(request.stderr)]);
  } finally {
    for (const file of open) closeSync(file);
  }
}

function tell(news: StarterNews): void {
  // Nobody listens any more when Tutti has just ended.
  process.send?.(news, undefined, undefined, () => {});
}
