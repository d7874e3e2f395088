import { connect, type Socket } from "node:net";
import type { Network } from "@tutti/connector-kit";
import { describeNetworkFailure } from "./failure.ts";

/**
 * A connection through the network's rules, for a connector that speaks another protocol than HTTP.
 *
 * @param how `connectMs`: from asking for the connection to having it.
 * @throws ConnectorError never-began.
 */
export async function connectTcp(
  { host, port }: { readonly host: string; readonly port: number },
  how: { readonly network: Network; readonly signal: AbortSignal; readonly connectMs: number },
): Promise<Socket> {
  const { network, signal, connectMs } = how;
  let socket: Socket | undefined;
  let onAbort = (): void => {};
  try {
    network.checkHost(host);
    const opened = connect({ host, port, lookup: network.lookup });
    socket = opened;
    await new Promise<void>((resolve, reject) => {
      const failed = (error: Error): void => reject(error);
      opened.once("error", failed);
      opened.once("connect", () => {
        opened.off("error", failed);
        opened.setTimeout(0);
        resolve();
      });
      opened.setTimeout(connectMs, () => reject(notConnected(`no connection within ${connectMs / 1000} s`)));
      onAbort = () => reject(notConnected("the attempt was stopped"));
      signal.addEventListener("abort", onAbort, { once: true });
    });
    return opened;
  } catch (error) {
    socket?.destroy();
    throw describeNetworkFailure(error, `${host}:${port}`);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** As a failing connect() of the system would be. */
function notConnected(message: string): Error {
  return Object.assign(new Error(message), { code: "ETIMEDOUT", syscall: "connect" });
}
