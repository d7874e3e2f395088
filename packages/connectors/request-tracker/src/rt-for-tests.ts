import type { AttemptProvider } from "@tutti/connector-kit";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { freePort, startLabSystem } from "@tutti/testkit/lab";

const LOGIN = { user: "root", password: "labpassword" } as const;

/** A Request Tracker of a test's own, with the queues `one` and `two` and the custom fields Server (one value) and Hosts (several). */
export interface Rt {
  readonly url: string;
  /** An authentication token of its administrator. */
  readonly token: string;
  provider(url: string, credentials?: JsonObject): AttemptProvider;
  /** Speaks to it past the connector. */
  ask(method: string, path: string, body?: Json): Promise<Json>;
  /** Deletes all tickets. */
  empty(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts Request Tracker by `lab/rt.sh`, beside any other that runs. */
export async function startRt(): Promise<Rt> {
  const port = await freePort();
  const system = await startLabSystem("rt", { RT_PORT: port });
  const token = /^RT_TOKEN=(\S+)$/m.exec(system.said)?.[1];
  if (token === undefined) throw new Error(`lab/rt.sh says no RT_TOKEN: ${system.said}`);
  const url = `http://127.0.0.1:${port}`;
  const ask = async (method: string, path: string, body?: Json): Promise<Json> => {
    const answer = await fetch(`${url}/REST/2.0${path}`, {
      method,
      headers: { authorization: `token ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    return text === "" ? null : (JSON.parse(text) as Json);
  };
  for (const name of ["one", "two"]) await ask("POST", "/queue", { Name: name });
  return {
    url,
    token,
    ask,
    provider: (at, credentials = LOGIN) => ({ name: "desk", configuration: { url: at }, credentials }),
    empty: async () => {
      const found = await ask("GET", `/tickets?query=${encodeURIComponent("id > 0")}&orderby=id&order=DESC&per_page=100`);
      const items = isJsonObject(found) && Array.isArray(found["items"]) ? found["items"] : [];
      for (const ticket of items) if (isJsonObject(ticket)) await ask("PUT", `/ticket/${ticket["id"] as string}`, { Status: "deleted" });
    },
    stop: () => system.stop(),
  };
}
