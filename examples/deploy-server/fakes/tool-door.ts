import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FaultPlan, ToolAnswer } from "./fault.ts";

export const TOOLS = ["virsh", "ssh", "socat", "dig", "curl", "genisoimage"] as const;
export type Tool = (typeof TOOLS)[number];

export interface ToolCall {
  readonly tool: Tool;
  readonly args: readonly string[];
  readonly input: string;
}

/** What each tool says when its connection is reset after the request was sent. */
const RESET: Readonly<Record<Tool, ToolAnswer>> = {
  virsh: {
    code: 1,
    stdout: "",
    stderr: "error: Disconnected from qemu:///system due to end of file\nerror: End of file while reading data: Input/output error\n",
  },
  ssh: { code: 255, stdout: "", stderr: "Connection reset by 198.18.200.10 port 22\n" },
  socat: { code: 1, stdout: "", stderr: "socat[1] E read(5, 0x55, 8192): Connection reset by peer\n" },
  dig: { code: 9, stdout: ";; communications error to 127.0.0.1#15353: connection reset\n", stderr: "" },
  curl: { code: 56, stdout: "", stderr: "curl: (56) Recv failure: Connection reset by peer\n" },
  genisoimage: { code: 1, stdout: "", stderr: "genisoimage: Input/output error\n" },
};

/** Executables named like the tools, in a directory of their own, that ask this process what to answer. */
export class ToolDoor {
  readonly #server: Server;
  readonly #connections = new Set<Socket>();

  constructor(plan: () => FaultPlan, carryOut: (call: ToolCall) => ToolAnswer) {
    this.#server = createServer((socket) => {
      this.#connections.add(socket);
      socket.on("close", () => this.#connections.delete(socket));
      socket.on("error", () => {});
      let received = "";
      let isAnswered = false;
      socket.setEncoding("utf8").on("data", (part: string) => {
        received += part;
        const call = isAnswered ? undefined : parseCall(received);
        if (call === undefined) return;
        isAnswered = true;
        const fault = plan().next(describeCall(call));
        if (fault === "lost-before") return;
        const answer = carryOut(call);
        if (fault === "lost-after") return;
        if (fault === "duplicate") carryOut(call);
        const said = fault === "reset" ? RESET[call.tool] : answer;
        socket.end(`${said.code}\0${said.stdout}\0${said.stderr}\0`);
      });
    });
  }

  /** Writes the executables into `directory` and listens. Their paths, by tool. */
  async open(directory: string): Promise<Record<Tool, string>> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    mkdirSync(directory, { recursive: true });
    // A server on a TCP port has such an address.
    writeFileSync(join(directory, "port"), String((this.#server.address() as AddressInfo).port));
    copyFileSync(fileURLToPath(new URL("tool", import.meta.url)), join(directory, "tool"));
    for (const tool of TOOLS) symlinkSync("tool", join(directory, tool));
    return Object.fromEntries(TOOLS.map((tool) => [tool, join(directory, tool)])) as Record<Tool, string>;
  }

  async close(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** Fields end with NUL: how many arguments, the tool, the arguments, the input. Undefined until all are there. */
function parseCall(received: string): ToolCall | undefined {
  const fields = received.split("\0");
  const [count, tool, ...rest] = fields;
  if (fields.length < 2 || rest.length < Number(count) + 2) return undefined;
  const args = rest.slice(0, Number(count));
  // The executables have no other names.
  return { tool: tool as Tool, args, input: rest[Number(count)] ?? "" };
}

function describeCall(call: ToolCall): string {
  const what =
    call.tool === "ssh"
      ? (/^# ([a-z-]+)/.exec(call.input)?.[1] ?? "cloud-init")
      : call.tool === "socat"
        ? call.input.trim()
        : call.args
            .filter((arg) => arg !== "-q")
            .slice(0, 2)
            .join(" ");
  return `${call.tool} ${what}`;
}
