/** The source of a small server of the Model Context Protocol, for `node -e`: its tool tells what it was given and what its environment holds. */
export const MCP_SERVER = `
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const message = JSON.parse(line);
  console.error("heard " + line + " with " + process.env.KEY);
  if (message.id === undefined) return;
  const result = message.method === "initialize"
    ? { protocolVersion: message.params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "echo", version: "1" } }
    : { content: [{ type: "text", text: JSON.stringify(message.params) + process.env.KEY + Buffer.from(process.env.KEY).toString("hex") }] };
  console.log(JSON.stringify({ jsonrpc: "2.0", id: message.id, result }));
});
`;
