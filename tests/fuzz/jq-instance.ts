import createJq from "jq-wasm/dist/build/jq.js";
import type { Json } from "@tutti/model";
import type { JqOutcome } from "./targets/jq.ts";

/** A program and what it works on. */
interface JqInput {
  readonly program: string;
  readonly data: Json;
}

/** What jq says of several programs at once: an outcome for each, or that it would not compile them, or that it ended itself. */
export type JqInstance = (inputs: readonly JqInput[]) => Promise<readonly JqOutcome[] | { readonly refused: string } | "crash">;

interface JqAnswer {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** The module's own interface; its types say nothing. */
interface JqModule {
  raw(json: string, program: string, flags: readonly string[]): Promise<JqAnswer>;
}

const COMPILE_ERROR = 3;

/** A jq 1.7.1, compiled to WebAssembly. Starting it for one program costs 4 ms, so that many run as parts of one. */
export async function openJq(): Promise<JqInstance> {
  const module = await (createJq as unknown as () => Promise<JqModule>)();
  return async (inputs) => {
    const parts = inputs.map(({ program }, index) => `(.[${index}] | try {outputs: [${program}\n]} catch {error: .})`);
    let answer: JqAnswer;
    try {
      answer = await module.raw(JSON.stringify(inputs.map(({ data }) => data)), parts.join(",\n"), ["-c"]);
    } catch {
      return "crash";
    }
    if (answer.exitCode === COMPILE_ERROR) return { refused: answer.stderr };
    const lines = answer.stdout.split("\n").filter((line) => line !== "");
    if (answer.exitCode !== 0 || lines.length !== inputs.length) return "crash";
    // What jq printed: one object of ours a line.
    return lines.map((line) => JSON.parse(line) as JqOutcome);
  };
}
