import { type FileHandle, open } from "node:fs/promises";
import { AppError } from "@tutti/model";

/** Read at a time from a file whose size nobody knows before (a pipe, a device). */
const CHUNK_BYTES = 1024 * 1024;
const LINE_FEED = 0x0a;

/**
 * The text of a file that a person named; the byte order mark is no part of it.
 *
 * @param shown the file as messages name it.
 * @param bytesMax what more bytes are refused from, before they are read: the file may be a device without end.
 * @throws AppError `file-unreadable` when it cannot be read or is not UTF-8, with line and column; `limit-exceeded`.
 */
export async function readText(path: string, shown: string, bytesMax: number): Promise<string> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (cause) {
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    throw unreadable(shown, isMissing ? "there is no such file" : cause instanceof Error ? cause.message : String(cause), cause);
  }
  try {
    const found = await file.stat();
    if (found.isDirectory()) throw unreadable(shown, "it is a directory");
    if (found.size > bytesMax) throw tooLarge(shown, bytesMax);
    return decodeText(found.isFile() ? await file.readFile() : await readSome(file, shown, bytesMax), shown);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw unreadable(shown, cause instanceof Error ? cause.message : String(cause), cause);
  } finally {
    await file.close();
  }
}

/** UTF-8 as text. @throws AppError `file-unreadable` naming the place where it stops being UTF-8; the bytes themselves are not shown. */
export function decodeText(bytes: Buffer, shown: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const { line, column } = firstBroken(bytes);
    const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
    const encoding = isUtf16 ? "UTF-16" : "ISO-8859-1";
    throw new AppError("file-unreadable", `${shown}:${line}:${column}: this is ${isUtf16 ? "UTF-16" : "not UTF-8"} text.`, {
      cause,
      details: { file: shown, line, column },
      hint: `Save the file as UTF-8${isUtf16 ? "" : ". If it comes from an old editor"}: iconv -f ${encoding} -t UTF-8 OLD > NEW`,
    });
  }
}

async function readSome(file: FileHandle, shown: string, bytesMax: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, null);
    if (bytesRead === 0) return Buffer.concat(parts);
    size += bytesRead;
    if (size > bytesMax) throw tooLarge(shown, bytesMax);
    parts.push(buffer.subarray(0, bytesRead));
  }
}

/** Line and column, from 1, of the first byte that UTF-8 has no meaning for: there a tolerant reader puts something else. */
function firstBroken(bytes: Buffer): { readonly line: number; readonly column: number } {
  const tolerant = Buffer.from(bytes.toString("utf8"));
  let at = 0;
  while (at < bytes.length && bytes[at] === tolerant[at]) at += 1;
  const before = bytes.subarray(0, at);
  const lineStart = before.lastIndexOf(LINE_FEED) + 1;
  const line = before.reduce((count, byte) => (byte === LINE_FEED ? count + 1 : count), 1);
  return { line, column: before.subarray(lineStart).toString("utf8").length + 1 };
}

function unreadable(shown: string, why: string, cause?: unknown): AppError {
  return new AppError("file-unreadable", `${shown} cannot be read: ${why}.`, { cause, details: { file: shown } });
}

function tooLarge(shown: string, bytesMax: number): AppError {
  return new AppError("limit-exceeded", `${shown} is larger than ${bytesMax / 1024 / 1024} MiB.`, {
    details: { file: shown, bytesMax },
    hint: "A document has up to 4 MiB and a value up to 16 MiB: store larger data elsewhere and pass their URI.",
  });
}
