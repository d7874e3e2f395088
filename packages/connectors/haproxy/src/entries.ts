import type { RuntimeApi } from "./runtime-api.ts";

/** Maps hold keys with values, ACLs only keys; HAProxy treats them alike. */
export type FileKind = "map" | "acl";

export interface Entry {
  /** As HAProxy's configuration names it. */
  readonly file: string;
  readonly key: string;
  /** Of an ACL's entry: empty. */
  readonly value: string;
}

/** The files of one kind that HAProxy has loaded; lists that stand in the configuration itself have none. */
export async function listFiles(api: RuntimeApi, kind: FileKind): Promise<readonly string[]> {
  const [header, ...lines] = (await api.ask(`show ${kind}`)).split("\n");
  if (header !== "# id (file) description" || lines.pop() !== "") throw api.strange();
  const files = lines.map((line) => /^-?\d+ \((.*?)\) /.exec(line)?.[1]);
  return [...new Set(files.filter((file) => file !== undefined && file !== ""))] as readonly string[];
}

/** The entries of a file, the first of each key; undefined when HAProxy has no such file. */
export async function loadEntries(api: RuntimeApi, kind: FileKind, file: string): Promise<readonly Entry[] | undefined> {
  const said = await api.ask(`show ${kind} ${file}`);
  if (said.startsWith("Unknown ")) {
    // The same word would stand before anything that another program does not know.
    if (!said.includes("identifier. Please use #<id> or <file>")) throw api.strange();
    return undefined;
  }
  const lines = said.split("\n");
  if (lines.pop() !== "") throw api.strange();
  const entries = new Map<string, Entry>();
  for (const line of lines) {
    const [, key, value = ""] = /^0x[0-9a-f]+ (\S+)(?: (.*))?$/.exec(line) ?? [];
    if (key === undefined) throw api.strange();
    if (!entries.has(key)) entries.set(key, { file, key, value });
  }
  // An empty list looks like any other empty answer.
  if (entries.size === 0 && !(await listFiles(api, kind)).includes(file)) throw api.strange();
  return [...entries.values()];
}

/** All entries of all files of one kind. */
export async function loadAllEntries(api: RuntimeApi, kind: FileKind): Promise<readonly Entry[]> {
  const all: Entry[] = [];
  for (const file of await listFiles(api, kind)) all.push(...((await loadEntries(api, kind, file)) ?? []));
  return all;
}

/** Makes an entry so: with this value, or none when it is null. @throws ConnectorError. */
export async function setEntry(
  api: RuntimeApi,
  kind: FileKind,
  how: { readonly file: string; readonly key: string; readonly from: string | null; readonly to: string | null },
): Promise<void> {
  const { file, key, from, to } = how;
  const words = [file, key, ...(kind === "map" && to !== null ? [to] : [])].join(" ");
  const verb = to === null ? "del" : from === null ? "add" : "set";
  const said = await api.order(`${verb} ${kind} ${words}`);
  // What is gone already is gone.
  if (said.trim() !== "" && !(to === null && said.startsWith("Key not found"))) throw api.refused(`${verb} ${kind}`, said);
}
