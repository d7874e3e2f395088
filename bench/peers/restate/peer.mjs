// Restate: its server as one process, the service with the SDK as another, and this driver over HTTP with kept connections.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { measure } from "../../work.ts";

const work = JSON.parse(process.argv[2] ?? "{}");
const PORTS = { ingress: 28080, admin: 29070, node: 25122, service: 29080 };
const START_MS = 60_000;

const agent = new http.Agent({ keepAlive: true, maxSockets: 512 });
const directory = mkdtempSync(join(tmpdir(), "tutti-bench-restate-"));
const binary = createRequire(import.meta.url).resolve("@restatedev/restate-server-linux-x64/bin/restate-server");
const server = spawn(binary, ["--base-dir", directory, "--node-name", "bench"], {
  stdio: "ignore",
  env: {
    ...process.env,
    RESTATE_DISABLE_TELEMETRY: "true",
    DO_NOT_TRACK: "1",
    RESTATE_BIND_ADDRESS: `127.0.0.1:${PORTS.node}`,
    RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${PORTS.node}/`,
    RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${PORTS.ingress}`,
    RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${PORTS.admin}`,
  },
});
const service = spawn(process.execPath, [new URL("service.mjs", import.meta.url).pathname, String(PORTS.service), String(work.steps)], {
  stdio: ["ignore", "ignore", "inherit"],
});

try {
  await eventually(() => post(PORTS.admin, "/deployments", { uri: `http://127.0.0.1:${PORTS.service}` }));
  await eventually(() => post(PORTS.ingress, "/sequence/first/run", {}));
  const figures = await measure(
    {
      sequence: (key) => post(PORTS.ingress, `/sequence/${key}/run`, {}),
      fanOut: (width, key) => post(PORTS.ingress, `/wide/${key}/run`, width),
    },
    work,
  );
  console.log(`RESULT ${JSON.stringify(figures)}`);
} finally {
  await Promise.all([server, service].map((child) => (child.kill("SIGKILL") ? once(child, "exit") : undefined)));
  rmSync(directory, { recursive: true, force: true });
  agent.destroy();
}

function post(port, path, body) {
  const text = JSON.stringify(body);
  const { promise, resolve, reject } = Promise.withResolvers();
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
  const request = http.request({ host: "127.0.0.1", port, path, method: "POST", agent, headers }, (response) => {
    let answer = "";
    response.on("data", (chunk) => (answer += chunk));
    response.on("end", () => (response.statusCode < 300 ? resolve(answer) : reject(new Error(`${response.statusCode} ${answer}`))));
  });
  request.on("error", reject);
  request.end(text);
  return promise;
}

async function eventually(attempt) {
  const until = performance.now() + START_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
