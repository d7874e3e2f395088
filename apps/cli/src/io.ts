import { AppError } from "@tutti/model";

/** The world of a command: streams, environment, terminal. Tests give their own. */
export interface Io {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly currentDirectory: string;
  /** Whether a person watches standard output. */
  readonly isTerminal: boolean;
  readonly isColour: boolean;
  /** Columns and lines of the terminal, now. */
  size(): { readonly columns: number; readonly rows: number };
  out(text: string): void;
  error(text: string): void;
  readInput(): Promise<string>;
  now(): number;
  /** Aborted when nobody reads standard output any more (`tutti … | head`). */
  readonly outputClosed: AbortSignal;
}

/** Width of what goes into a pipe or a file: nothing is cut off there. */
const COLUMNS_WITHOUT_TERMINAL = 10_000;
/** What is read from a named file or standard input is a document, an input or an event. JSON escapes may double a value of 16 MiB. */
export const INPUT_BYTES_MAX = 32 * 1024 * 1024;

/** The real terminal. */
export function processIo(): Io {
  const closed = new AbortController();
  for (const stream of [process.stdout, process.stderr]) {
    // EPIPE: the reader is gone. A run that is being driven goes on without an audience.
    stream.on("error", () => closed.abort());
  }
  const isTerminal = process.stdout.isTTY === true && process.env["TERM"] !== "dumb";
  return {
    environment: process.env,
    currentDirectory: process.cwd(),
    isTerminal,
    // https://no-color.org: any non-empty value.
    isColour: isTerminal && !process.env["NO_COLOR"],
    size: () =>
      isTerminal
        ? { columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 }
        : { columns: COLUMNS_WITHOUT_TERMINAL, rows: 24 },
    out: (text) => {
      if (!closed.signal.aborted) process.stdout.write(text);
    },
    error: (text) => void process.stderr.write(text),
    readInput: readStandardInput,
    now: () => Date.now(),
    outputClosed: closed.signal,
  };
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > INPUT_BYTES_MAX)
      throw new AppError("limit-exceeded", `Standard input is larger than ${INPUT_BYTES_MAX / 1024 / 1024} MiB.`, {
        hint: "Store larger data elsewhere and pass their URI.",
      });
    chunks.push(chunk);
  }
  const { decodeText } = await import("@tutti/host");
  return decodeText(Buffer.concat(chunks), "standard input");
}
