import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdtemp, rename } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { DEFAULT_PATH } from "./child-environment.ts";
import { reservePrefix } from "./left-files.ts";

const execute = promisify(execFile);

/** Made by one call of `mkfifo`, which costs a process whether it makes two or many; a pipe in reserve is an entry of a directory, no more. */
const PIPES_PER_CALL = 64;
/** The reserve was removed, or the temporary directory is another disk by now. */
const GONE: ReadonlySet<string> = new Set(["ENOENT", "EXDEV"]);

/**
 * Named pipes made ahead, in a directory (0700) that goes when this process ends and is swept when it was killed. Each is handed out once: a
 * process that somebody left behind may hold one open for ever, and must not write into the output of another.
 */
export class PipeReserve {
  #paths: string[] = [];
  #filling: Promise<void> | undefined;
  readonly #directories: string[] = [];

  constructor() {
    process.once("exit", () => {
      for (const directory of this.#directories) rmSync(directory, { recursive: true, force: true });
    });
  }

  /** Puts a new pipe at each of the paths, which must be under the system's temporary directory. */
  async put(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      // Whoever cleans the temporary directory may have taken the reserve: then another is made, and one of its pipes is tried.
      if (!(await this.#move(path)) && !(await this.#move(path)))
        throw new Error(`named pipes vanish from ${tmpdir()} as soon as they are made`);
    }
  }

  async #move(target: string): Promise<boolean> {
    while (this.#paths.length === 0) await (this.#filling ??= this.#fill().finally(() => (this.#filling = undefined)));
    try {
      await rename(this.#paths.pop() as string, target);
      return true;
    } catch (error) {
      if (!GONE.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
      this.#paths = [];
      return false;
    }
  }

  async #fill(): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), reservePrefix()));
    this.#directories.push(directory);
    const paths = Array.from({ length: PIPES_PER_CALL }, (_, index) => join(directory, String(index)));
    // Even this child gets nothing of our environment but where programs are.
    await execute("mkfifo", ["-m", "600", ...paths], { env: { PATH: process.env["PATH"] ?? DEFAULT_PATH } });
    this.#paths.push(...paths);
  }
}
