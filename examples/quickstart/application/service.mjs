// The application that the quickstart deploys: answers on a local port with a greeting and the version it was deployed from.
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

const directory = process.argv[2];
const { port, greeting, commit } = JSON.parse(readFileSync(join(directory, "settings.json"), "utf8"));

const server = createServer((request, response) => {
  const answers = { "/": { greeting, commit }, "/health": { status: "healthy", pid: process.pid } };
  const answer = answers[new URL(request.url, "http://localhost").pathname];
  response.writeHead(answer ? 200 : 404, { "content-type": "application/json" });
  response.end(`${JSON.stringify(answer ?? { error: "there is nothing here" })}\n`);
});

// Two services cannot share a port: a second start ends here and the first goes on.
server.on("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
server.listen(port, "127.0.0.1", () => writeFileSync(join(directory, "service.pid"), String(process.pid)));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
