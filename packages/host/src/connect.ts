import { setTimeout as pause } from "node:timers/promises";
import { AppError } from "@tutti/model";
import type { DataDirectory } from "./data-directory.ts";
import { prepareDataDirectory } from "./data-directory.ts";
import type { Host, HostOptions } from "./host.ts";
import { OWNER_CHANGE_MS } from "./protocol.ts";
import { SocketClient } from "./socket-client.ts";
import { socketPathOf } from "./socket-path.ts";

/** How often a process looks whether an owner that is starting or stopping is done. */
const LOOK_AGAIN_MS = 50;

/** The way to the runtime: in this process, or in the one that owns the data directory. */
export type Link = { readonly kind: "here"; readonly host: Host } | { readonly kind: "elsewhere"; readonly client: SocketClient };

/**
 * Becomes the owner of a data directory.
 *
 * The implementations are loaded here and not before: a process that only asks another one starts in a fraction of the time.
 *
 * @throws AppError `store-in-use` when another process owns it.
 */
export async function openHost(options: HostOptions): Promise<Host> {
  const { Host } = await import("./host.ts");
  return Host.open(options);
}

/**
 * Connects to the live owner of the data directory, or becomes its owner when there is none.
 *
 * Between the two lies the moment in which an owner has the store and not yet, or no longer, the socket: it is looked for again until it
 * answers, or is gone.
 *
 * @throws AppError `owner-unreachable` when an owner is alive and doesn't answer within HELLO_TIMEOUT_MS, or has no socket for OWNER_CHANGE_MS.
 */
export async function connectOrOpen(options: HostOptions): Promise<Link> {
  await prepareDataDirectory(options.directory);
  const path = socketPathOf(options.directory, options.environment);
  const giveUpAt = performance.now() + OWNER_CHANGE_MS;
  while (true) {
    const client = await SocketClient.connect(path);
    if (client !== undefined) return { kind: "elsewhere", client };
    try {
      return { kind: "here", host: await openHost(options) };
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "store-in-use") throw error;
      if (performance.now() >= giveUpAt) throw silentOwner(options.directory, path, error);
    }
    await pause(LOOK_AGAIN_MS);
  }
}

/** Connects to a live owner; undefined when nobody owns the directory. Never opens the store. */
export async function connectOnly(directory: DataDirectory, environment: HostOptions["environment"]): Promise<SocketClient | undefined> {
  return SocketClient.connect(socketPathOf(directory, environment));
}

function silentOwner(directory: DataDirectory, socket: string, cause: AppError): AppError {
  return new AppError("owner-unreachable", `Another process owns the data directory ${directory.path} and does not answer on ${socket}.`, {
    cause,
    details: { directory: directory.path, socket, ...cause.details },
    hint: `Look for it (\`fuser ${directory.path}/*.db\` names it). Once it is gone, this command works again by itself; nothing needs to be repaired.`,
  });
}
