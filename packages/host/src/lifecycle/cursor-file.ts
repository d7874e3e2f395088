import { hash } from "node:crypto";
import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { z } from "@tutti/connector-kit";
import { AppError } from "@tutti/model";
import { type DataDirectory, messageOf } from "../data-directory.ts";

/** In the data directory, and in backups of it. */
export const CURSOR_FILE = "lifecycle-sinks.json";
const Cursors = z.record(z.string(), z.object({ position: z.number().int().min(0) }));

/**
 * Up to where in the store's feed each sink has been told, by a hash of its address, which may hold a credential. Written aside, synced and renamed:
 * after a crash there is one of the two, and what is told twice then has the same ids. Only the owner of the directory writes it.
 */
export class CursorFile {
  readonly #path: string;
  readonly #directory: string;
  readonly #positions: Map<string, number>;
  #writing: Promise<void> = Promise.resolve();

  private constructor(directory: string, positions: Map<string, number>) {
    this.#directory = directory;
    this.#path = join(directory, CURSOR_FILE);
    this.#positions = positions;
  }

  /** @throws AppError `file-unreadable` when what is there is none of ours: to begin anew by guess would lose events. */
  static async load({ path: directory }: DataDirectory): Promise<CursorFile> {
    const path = join(directory, CURSOR_FILE);
    try {
      const cursors = Cursors.parse(JSON.parse(await readFile(path, "utf8")));
      return new CursorFile(directory, new Map(Object.entries(cursors).map(([key, { position }]) => [key, position])));
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return new CursorFile(directory, new Map());
      throw new AppError(
        "file-unreadable",
        `${path}, which says up to where lifecycle events were told, can't be read: ${messageOf(cause)}.`,
        {
          cause,
          details: { path },
          hint: "Take it from a backup; or delete it, and the sinks are told what happens from now on.",
        },
      );
    }
  }

  positionOf(url: string): number | undefined {
    return this.#positions.get(keyOf(url));
  }

  /** Resolves when the position is on the disk. */
  async save(url: string, position: number): Promise<void> {
    this.#positions.set(keyOf(url), position);
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    const cursors = Object.fromEntries([...this.#positions].map(([key, position]) => [key, { position }]));
    const file = await open(`${this.#path}.new`, "w", 0o600);
    try {
      await file.writeFile(`${JSON.stringify(cursors)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${this.#path}.new`, this.#path);
    const parent = await open(this.#directory, "r");
    try {
      await parent.sync();
    } finally {
      await parent.close();
    }
  }
}

function keyOf(url: string): string {
  return hash("sha256", `tutti lifecycle sink ${url}`, "hex").slice(0, 32);
}
