import { closeSync, constants, openSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Token } from "@tutti/model";
import { directoryPrefix } from "./left-files.ts";
import { PipeReserve } from "./pipe-reserve.ts";

/** One for the process, as the temporary directory is. */
const reserve = new PipeReserve();

/** A file that a child reads from; closed here after the start. */
export interface InputFile {
  readonly path: string;
  readonly file: number;
}

/** A pipe to a child: its end goes to the child and is closed here after the start. */
export interface OutputPipe {
  readonly path: string;
  readonly childEnd: number;
  readonly reader: Socket;
}

/**
 * A directory (0700) for one attempt with what its process is started from: code and stdin as files that only this user reads, since an
 * argument list can be read by everybody on the machine. `remove` when the process has ended.
 */
export class Workspace {
  readonly #path: string;
  readonly #openFiles = new Set<number>();

  private constructor(path: string) {
    this.#path = path;
  }

  static async create(token: Token): Promise<Workspace> {
    return new Workspace(await mkdtemp(join(tmpdir(), directoryPrefix(token))));
  }

  /** Writes a file that only this user may read, and returns its path. */
  async write(name: string, content: string): Promise<string> {
    const path = join(this.#path, name);
    await writeFile(path, content, { mode: 0o600, flag: "wx" });
    return path;
  }

  /** Text as a file to read from: unlike a socket it can be opened again as /dev/stdin. */
  async openInput(text: string): Promise<InputFile> {
    const path = await this.write("stdin", text);
    const file = openSync(path, "r");
    this.#openFiles.add(file);
    return { path, file };
  }

  /**
   * Two named pipes for stdout and stderr. Node itself would make sockets, which a program can't open again as /dev/stdout or /dev/stderr
   * (`echo failed > /dev/stderr` fails with ENXIO).
   */
  async openPipes(): Promise<readonly [OutputPipe, OutputPipe]> {
    const paths = [join(this.#path, "stdout"), join(this.#path, "stderr")] as const;
    await reserve.put(paths);
    return [this.#openPipe(paths[0]), this.#openPipe(paths[1])];
  }

  #openPipe(path: string): OutputPipe {
    // The reading end first, without waiting for a writer; then the writing end finds its reader.
    const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const reader = new Socket({ fd: reading, readable: true, writable: false });
    const childEnd = openSync(path, constants.O_WRONLY);
    this.#openFiles.add(childEnd);
    return { path, childEnd, reader };
  }

  /** Closes what only the child needs: the reader sees the end when the last process that writes has ended. */
  releaseChildEnds(): void {
    for (const file of this.#openFiles) closeSync(file);
    this.#openFiles.clear();
  }

  async remove(): Promise<void> {
    this.releaseChildEnds();
    await rm(this.#path, { recursive: true, force: true });
  }
}
