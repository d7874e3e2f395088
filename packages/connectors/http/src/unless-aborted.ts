import { ConnectorError } from "@tutti/connector-kit";

/** Waits for what several attempts share; the signal ends only the caller's wait. @throws ConnectorError never-began when it is aborted. */
export function unlessAborted<T>(pending: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void =>
      reject(new ConnectorError("Stopped while waiting for an access token.", { kind: "timeout", outcome: "never-began" }));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    void pending.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
