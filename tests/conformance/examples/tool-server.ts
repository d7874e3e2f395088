// node tool-server.ts LOG WORD… : stands in for a server of the Model Context Protocol on its standard input and output. Every tool there is
// gives back its name and arguments; how it was called is noted in the file LOG.
import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [log = "", ...words] = process.argv.slice(2);

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly protocolVersion?: string; readonly name?: string; readonly arguments?: unknown };
}

for await (const line of createInterface({ input: process.stdin })) {
  // The client's messages, as JSON-RPC has them.
  const { id, method, params } = JSON.parse(line) as Message;
  if (method === "initialize")
    answer(id, {
      protocolVersion: params?.protocolVersion,
      capabilities: { tools: {} },
      serverInfo: { name: "stand-in", version: "1.0.0" },
    });
  if (method === "tools/call") {
    appendFileSync(log, `${JSON.stringify({ words, token: process.env["SLACK_MCP_XOXP_TOKEN"] ?? null, ...params })}\n`);
    answer(id, { content: [{ type: "text", text: `${params?.name ?? ""} ${JSON.stringify(params?.arguments)}` }] });
  }
}

function answer(id: number | undefined, result: unknown): void {
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, result })}\n`);
}
