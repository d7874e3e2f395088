import { type ProviderAccess, type ResourceType, z } from "@tutti/connector-kit";
import { isJsonObject, type Json } from "@tutti/model";
import { LIST } from "./file-programs.ts";
import { DirectoryState, FileState, readPathState } from "./file-state.ts";
import { ask } from "./host-program.ts";
import type { SshDeps } from "./ssh-session.ts";
import { withSession } from "./with-session.ts";

/** A tree with more is better listed by a part of it. */
const LISTED_MAX = 10_000;

const ListedFile = z.strictObject({ path: z.string(), ...FileState.shape });
const ListedDirectory = z.strictObject({ path: z.string(), ...DirectoryState.shape });

/** Files and directories below those that the provider lists. */
export function resources(deps: SshDeps): Readonly<Record<"file" | "directory", ResourceType>> {
  const of = (kind: "file" | "directory", title: string, schema: z.ZodType): ResourceType => ({
    title,
    schema,
    id: (resource) => (isJsonObject(resource) && typeof resource["path"] === "string" ? resource["path"] : ""),
    read: async (id, access) => (await listed(deps, access, kind)).find((each) => isJsonObject(each) && each["path"] === id),
    list: (access) => listed(deps, access, kind),
  });
  return { file: of("file", "File", ListedFile), directory: of("directory", "Directory", ListedDirectory) };
}

function listed(deps: SshDeps, access: ProviderAccess, wanted: "file" | "directory"): Promise<readonly Json[]> {
  return withSession(deps, access, async (session) => {
    const { listed: tops, host } = session.provider;
    const input = Buffer.from(tops.map((top) => `${top}\n`).join(""));
    const { rest } = await ask(session, LIST, { variables: { max: `${LISTED_MAX + 1}` }, input });
    const lines = rest.toString("utf8").split("\n");
    const middle = lines.indexOf("sums");
    // The last line says that it is whole.
    if (lines.at(-2) !== "end" || middle < 0) throw session.strange();
    if (middle > LISTED_MAX)
      throw session.refusal(`The directories that are listed on ${host} hold more than ${LISTED_MAX} files: list fewer.`);
    const sums = new Map(
      lines.slice(middle + 1, -2).map((line) => [line.replace(/^\\?[0-9a-f]{64} [ *]/, ""), line.replace(/^\\/, "").slice(0, 64)]),
    );
    const found = new Map<string, Json>();
    for (const line of lines.slice(0, middle)) {
      const [type = "", mode = "", owner = "", group = "", bytes = "", ...name] = line.split("|");
      const path = name.join("|");
      const kind = type === "directory" ? "directory" : "file";
      if (kind !== wanted) continue;
      const sha256 = sums.get(path);
      // It came or went between the two looks, or it may not be read.
      if (kind === "file" && sha256 === undefined) continue;
      const state = readPathState(
        kind === "file" ? `file|${mode}|${owner}|${group}|${bytes}|${sha256 ?? ""}` : `directory|${mode}|${owner}|${group}`,
      );
      if (state === undefined || !path.startsWith("/")) throw session.strange();
      const { kind: _, ...rights } = state;
      found.set(path, { path, ...rights });
    }
    return [...found.values()];
  });
}
