import { z } from "@tutti/connector-kit";

export const FileState = z.strictObject({
  mode: z.string(),
  owner: z.string(),
  group: z.string(),
  bytes: z.number(),
  sha256: z.string(),
});
export type FileState = z.infer<typeof FileState>;
export const DirectoryState = z.strictObject({ mode: z.string(), owner: z.string(), group: z.string() });
export type DirectoryState = z.infer<typeof DirectoryState>;

/** What stands at a path of the host, as `meta` of the programs tells it. */
export type PathState =
  | ({ readonly kind: "file" } & FileState)
  | ({ readonly kind: "directory" } & DirectoryState)
  | { readonly kind: "absent" }
  | { readonly kind: "link" | "other" };

/** Undefined when the text is no such line. */
export function readPathState(line: string): PathState | undefined {
  const [kind = "", mode = "", owner = "", group = "", bytes = "", sha256 = ""] = line.split("|");
  switch (kind) {
    case "file":
      return /^[0-9a-f]{64}$/.test(sha256) ? { kind, mode: mode.padStart(3, "0"), owner, group, bytes: Number(bytes), sha256 } : undefined;
    case "directory":
      return mode === "" ? undefined : { kind, mode: mode.padStart(3, "0"), owner, group };
    case "absent":
    case "link":
    case "other":
      return { kind };
    default:
      return undefined;
  }
}

/** The line that `meta` says of it. */
export function lineOf(state: (FileState & { readonly kind: "file" }) | (DirectoryState & { readonly kind: "directory" }) | null): string {
  if (state === null) return "absent";
  // `stat` shows no leading zeros.
  const mode = state.mode.replace(/^0+(?=\d)/, "");
  const rights = `${state.kind}|${mode}|${state.owner}|${state.group}`;
  return state.kind === "file" ? `${rights}|${state.bytes}|${state.sha256}` : rights;
}
