import type { Server as HttpServer } from "node:http";
import type { Server } from "node:net";
import { httpClient } from "@tutti/connector-http";
import { attemptForTests, ConnectorError, Network } from "@tutti/connector-kit";
import { powerdnsConnector } from "@tutti/connector-powerdns";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { TestAuthority } from "../../packages/connectors/http/src/test-certificates.ts";
import { BAD_TARGETS, type Making, SHORT_LIMITS } from "./bad-targets.ts";

const KEY = "the-key-0123456789";
let authority: TestAuthority;
const running: Server[] = [];
const making = (): Making => ({ authority, keep: (server) => running.push(server) });

beforeAll(() => {
  authority = new TestAuthority();
});
afterEach(() => {
  for (const server of running.splice(0)) {
    server.close();
    // All of them speak HTTP.
    (server as HttpServer).closeAllConnections();
  }
});
afterAll(() => authority.remove());

/** As every name server says of a name that is not there, whatever this machine can reach. */
const unknownName = async (host: string): Promise<never> => {
  throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: "ENOTFOUND", syscall: "getaddrinfo" });
};

test.each(BAD_TARGETS)("$name", async (row) => {
  const { url } = await row.serve(making());
  const network = new Network({ certificateAuthorities: [authority.certificate], resolve: unknownName });
  const connector = powerdnsConnector({ http: httpClient({ network, limits: SHORT_LIMITS }) });
  const provider = { name: "dns", configuration: { url }, credentials: { apiKey: KEY } };
  const health = await connector.check?.(attemptForTests({ provider }));
  if (health === undefined || health.status === "healthy") throw new Error(`the check says ${JSON.stringify(health)}`);
  for (const part of row.checkSays === undefined ? row.says : [row.checkSays]) expect(health.problem).toContain(part);
  expect(health.wayOut).not.toBe("");
  const call = connector.functions["zone.list:1"]?.run({}, attemptForTests({ provider }));
  if (row.callWorks === true) {
    expect(await call).toEqual({ zones: [] });
    return;
  }
  const error: unknown = await call?.catch((thrown: unknown) => thrown);
  if (!(error instanceof ConnectorError)) throw new Error(`the call gave ${String(error)}`);
  const places = row.says.map((part) => error.message.indexOf(part));
  expect({ said: error.message, places }).toEqual({ said: error.message, places: places.toSorted((a, b) => a - b) });
  expect({ said: error.message, missing: places.includes(-1) }).toEqual({ said: error.message, missing: false });
  expect(error.retryable).toBe(row.isRetryable);
  expect(error.message + health.problem + health.wayOut).not.toContain(KEY);
});
