import { type Attempt, type ConnectorFunction, type EffectPreview, parseInput, z } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import { forget } from "./file-functions.ts";
import { ENSURE_DIRECTORY, RESTORE_DIRECTORY } from "./file-programs.ts";
import { DirectoryState, lineOf, readPathState } from "./file-state.ts";
import { ask, type HostAnswer, HostRefusal } from "./host-program.ts";
import { Account, Mode, RemotePath } from "./names.ts";
import type { SshDeps, SshSession } from "./ssh-session.ts";
import { withSession } from "./with-session.ts";

const EnsureInput = z.strictObject({
  path: RemotePath.meta({ description: "Absolute; directories above that are missing are made too, with mode 0755" }),
  mode: Mode.optional().meta({ description: "'0755'; left out: that of the directory that is there, 0755 for a new one" }),
  owner: Account.optional(),
  group: Account.optional(),
});
const EnsureOutput = z.strictObject({
  path: z.string(),
  changed: z.boolean(),
  /** What was there before; null when there was nothing. */
  before: DirectoryState.nullable(),
  after: DirectoryState,
  /** The outermost directory that was made; the path itself when those above were there. */
  top: z.string(),
});
const RestoreInput = z.strictObject({
  path: RemotePath,
  before: DirectoryState.nullable().meta({
    description: "What was there before the call; null removes the directory, which must be empty",
  }),
  after: DirectoryState.meta({ description: "What the call left; the directory is touched only while it is so" }),
  top: RemotePath.meta({ description: "The outermost directory that the call made" }),
});
const RestoreOutput = z.strictObject({ path: z.string() });

export function directoryFunctions(deps: SshDeps): Readonly<Record<string, ConnectorFunction>> {
  const times = { requestTimeoutMs: deps.limits.programMs, settleMs: 0 };

  /** Idempotent: a desired state; what was before is kept on the host until the end is stored. */
  const ensure: ConnectorFunction = {
    ...times,
    title: "Make a directory, or give it mode and owner",
    input: EnsureInput,
    output: EnsureOutput,
    effect: "idempotent",
    changes: "directory",
    undo: {
      call: "directory.restore:1",
      with: { path: "${ .output.path }", before: "${ .output.before }", after: "${ .output.after }", top: "${ .output.top }" },
    },
    run: async (given, attempt) => {
      const { path } = parseInput(EnsureInput, given);
      attempt.afterStored(async (end) => {
        if (end === "completed") await forget(deps, attempt, attempt.token);
      });
      return withSession(deps, attempt, async (session) => {
        const answer = await ensured(session, { given, attempt, only: false });
        const before = stateIn(session, answer, "before");
        const after = stateIn(session, answer, "now");
        if (after === null) throw session.strange();
        return { path, changed: lineFor(before) !== lineFor(after), before, after, top: answer.values.get("top") ?? path };
      });
    },
    preview: (given, attempt) =>
      withSession(deps, attempt, async (session): Promise<EffectPreview> => {
        const { path, mode, owner, group } = parseInput(EnsureInput, given);
        const answer = await ensured(session, { given, attempt, only: true });
        const before = stateIn(session, answer, "before");
        const isNumber = (account: string | undefined): boolean => account !== undefined && /^\d+$/.test(account);
        const wanted: JsonObject = {
          mode: mode ?? before?.mode ?? "755",
          ...(isNumber(owner) ? {} : { owner: owner ?? before?.owner ?? null }),
          ...(isNumber(group) ? {} : { group: group ?? before?.group ?? null }),
        };
        const known = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== null));
        const isSame = before !== null && Object.entries(known).every(([key, value]) => before[key as keyof DirectoryState] === value);
        if (isSame && !isNumber(owner) && !isNumber(group)) return { effects: [], output: { path, changed: false, before } };
        const top = answer.values.get("top") ?? path;
        const above =
          before === null
            ? pathsBetween(top, path).map((name) => ({ kind: "create" as const, resource: "directory", name, isReversible: true }))
            : [];
        return {
          effects: [
            ...above,
            {
              kind: before === null ? "create" : "change",
              resource: "directory",
              name: path,
              ...(before === null ? {} : { before: { path, ...before } }),
              after: { path, ...known },
              isReversible: true,
            },
          ],
          output: { path, changed: true, before, top },
        };
      }),
  };

  /** Idempotent: a desired state; what others have changed or put there since is refused. */
  const restore: ConnectorFunction = {
    ...times,
    title: "Put a directory back as it was before a call",
    input: RestoreInput,
    output: RestoreOutput,
    effect: "idempotent",
    changes: "directory",
    run: (given, attempt) =>
      withSession(deps, attempt, async (session) => {
        await restored(session, given, false);
        return { path: parseInput(RestoreInput, given).path };
      }),
    preview: (given, attempt) =>
      withSession(deps, attempt, async (session) => {
        const { path, before, top } = parseInput(RestoreInput, given);
        const current = stateIn(session, await restored(session, given, true), "before");
        if (lineFor(current) === lineFor(before)) return { effects: [], output: { path } };
        if (before !== null)
          return {
            effects: [{ kind: "change", resource: "directory", name: path, after: { path, ...before }, isReversible: false }],
            output: { path },
          };
        const gone = [path, ...pathsBetween(top, path).toReversed()];
        return { effects: gone.map((name) => ({ kind: "delete", resource: "directory", name, isReversible: false })), output: { path } };
      }),
  };

  return { "directory.ensure:1": ensure, "directory.restore:1": restore };
}

/** From the outermost to the one above `path`. */
function pathsBetween(top: string, path: string): readonly string[] {
  const found: string[] = [];
  for (let at = top.length; at > 0 && at < path.length; at = path.indexOf("/", at + 1)) found.push(path.slice(0, at));
  return found;
}

function ensured(
  session: SshSession,
  how: { readonly given: JsonObject; readonly attempt: Attempt; readonly only: boolean },
): Promise<HostAnswer> {
  const { path, mode = "", owner = "", group = "" } = parseInput(EnsureInput, how.given);
  const variables = { path, mode, owner, group, base: session.provider.directory, token: how.attempt.token, only: how.only ? "1" : "0" };
  return asked(session, path, () => ask(session, ENSURE_DIRECTORY, { variables }));
}

function restored(session: SshSession, given: JsonObject, only: boolean): Promise<HostAnswer> {
  const { path, before, after, top } = parseInput(RestoreInput, given);
  const variables = { path, before: lineFor(before), after: lineFor(after), top, only: only ? "1" : "0" };
  return asked(session, path, () => ask(session, RESTORE_DIRECTORY, { variables }));
}

function stateIn(session: SshSession, { values }: HostAnswer, key: string): DirectoryState | null {
  const state = readPathState(values.get(key) ?? "");
  if (state?.kind === "absent") return null;
  if (state?.kind !== "directory") throw session.strange();
  const { kind: _, ...directory } = state;
  return directory;
}

function lineFor(state: DirectoryState | null): string {
  return lineOf(state === null ? null : { kind: "directory", ...state });
}

async function asked(session: SshSession, path: string, work: () => Promise<HostAnswer>): Promise<HostAnswer> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof HostRefusal)) throw error;
    const { host } = session.provider;
    switch (error.word) {
      case "not-a-directory":
        throw session.refusal(`${path} on ${host}, or a part of it, is no directory.`);
      case "dangling":
        throw session.refusal(`${path} on ${host} is a link that leads nowhere.`);
      case "changed":
        throw session.refusal(
          `${path} on ${host} is not what the call left: somebody has changed it since. Look at it, and settle it by hand.`,
        );
      case "not-empty":
        throw session.refusal(`${path} on ${host} is not empty: what is in it is somebody else's. Move it away, or skip this.`);
      default:
        throw session.strange();
    }
  }
}
