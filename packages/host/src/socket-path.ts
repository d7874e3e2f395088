import { createHash } from "node:crypto";
import { lstatSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "@tutti/model";
import type { DataDirectory } from "./data-directory.ts";

/** Linux takes 107 bytes, macOS and the BSDs 103; a longer path is cut off silently by some systems. */
const SOCKET_PATH_BYTES_MAX = 100;

/**
 * Where the owner of a data directory listens: `<data>/tutti.sock`. Where that path is too long for the system, a name derived from it in a
 * directory of the user's own: `$XDG_RUNTIME_DIR/tutti` or `<tmp>/tutti-<uid>`, mode 0700.
 *
 * @throws AppError `file-unreadable` when that directory belongs to somebody else: `/tmp` is everybody's, and another user's socket is a trap.
 */
export function socketPathOf(directory: DataDirectory, environment: Readonly<Record<string, string | undefined>>): string {
  const plain = join(directory.path, "tutti.sock");
  if (Buffer.byteLength(plain) <= SOCKET_PATH_BYTES_MAX) return plain;
  const folder = runtimeFolder(environment);
  closeToOthers(folder);
  return join(folder, `${createHash("sha256").update(plain).digest("hex").slice(0, 24)}.sock`);
}

function runtimeFolder(environment: Readonly<Record<string, string | undefined>>): string {
  const given = environment["XDG_RUNTIME_DIR"];
  const folder = given ? join(given, "tutti") : undefined;
  if (folder !== undefined && Buffer.byteLength(folder) <= SOCKET_PATH_BYTES_MAX - 30) return folder;
  return join(Buffer.byteLength(tmpdir()) <= 40 ? tmpdir() : "/tmp", `tutti-${process.getuid?.() ?? "user"}`);
}

function closeToOthers(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = lstatSync(folder);
  const owner = process.getuid?.();
  if (!found.isDirectory() || (owner !== undefined && found.uid !== owner) || (found.mode & 0o077) !== 0) {
    throw new AppError("file-unreadable", `${folder} is needed for the socket and is not a directory of this user alone.`, {
      details: { path: folder },
      hint: "Remove it, or use a data directory with a shorter path.",
    });
  }
}
