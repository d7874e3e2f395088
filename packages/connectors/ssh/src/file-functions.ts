import { createHash } from "node:crypto";
import { isUtf8 } from "node:buffer";
import { type Attempt, ConnectorError, type ConnectorFunction, type EffectPreview, parseInput, z } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import { DELETE_FILE, FORGET, KEPT_DAYS, READ_FILE, RESTORE_FILE, WRITE_FILE } from "./file-programs.ts";
import { FileState, lineOf, type PathState, readPathState } from "./file-state.ts";
import { ask, type HostAnswer, HostRefusal } from "./host-program.ts";
import { Account, Mode, RemotePath, TokenText } from "./names.ts";
import type { SshDeps, SshSession } from "./ssh-session.ts";
import { afterwards, withSession } from "./with-session.ts";

/** A value of a run has at most 16 MiB, and in base64 a third more than the file. */
const FILE_BYTES_MAX = 8 * 1024 * 1024;

const Rights = {
  mode: Mode.optional().meta({ description: "'0644'; left out: that of the file that is there, 0644 for a new one" }),
  owner: Account.optional(),
  group: Account.optional(),
};
const WriteInput = z
  .strictObject({
    path: RemotePath.meta({ description: "Absolute; a link is followed" }),
    content: z.string().max(FILE_BYTES_MAX),
    encoding: z.enum(["utf8", "base64"]).default("utf8").meta({ description: "How `content` is written here: base64 for what is no text" }),
    ...Rights,
  })
  .refine(({ content, encoding }) => encoding === "utf8" || isBase64(content), "content is no base64");
const ChangeOutput = z.strictObject({
  path: z.string(),
  changed: z.boolean(),
  /** What was there before; null when there was nothing. Its content stays on the host for the undo. */
  before: FileState.nullable(),
  /** What is there now. */
  after: FileState.nullable(),
  token: z.string(),
});
const PathInput = z.strictObject({ path: RemotePath.meta({ description: "Absolute" }) });
const RestoreInput = z.strictObject({
  path: RemotePath,
  token: TokenText.meta({ description: "Of the call that is taken back" }),
  before: FileState.nullable().meta({ description: "What was there before the call; null: nothing" }),
  after: FileState.nullable().meta({ description: "What the call left; the file is touched only while it is so" }),
});
const RestoreOutput = z.strictObject({ path: z.string() });
const ReadOutput = z.strictObject({
  path: z.string(),
  content: z.string(),
  encoding: z.enum(["utf8", "base64"]),
  ...FileState.shape,
});

function isBase64(text: string): boolean {
  const plain = text.replaceAll(/\s/g, "");
  return plain.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(plain);
}

export function fileFunctions(deps: SshDeps): Readonly<Record<string, ConnectorFunction>> {
  const times = { requestTimeoutMs: deps.limits.programMs, settleMs: 0 };
  const undo = {
    call: "file.restore:1",
    with: { path: "${ .input.path }", token: "${ .output.token }", before: "${ .output.before }", after: "${ .output.after }" },
  };

  /** Idempotent: a desired state. The file is replaced as a whole; what was before stays on the host under the token, so that a later attempt knows it. */
  const write: ConnectorFunction = {
    ...times,
    title: "Write a file",
    input: WriteInput,
    output: ChangeOutput,
    effect: "idempotent",
    changes: "file",
    undo,
    run: (given, attempt) => change(deps, attempt, (session) => writeFile(session, { given, attempt, only: false })),
    preview: (given, attempt) =>
      withSession(deps, attempt, async (session) => {
        const { path, content, encoding, mode, owner, group } = parseInput(WriteInput, given);
        const { before } = await writeFile(session, { given, attempt, only: true });
        const bytes = Buffer.from(content, encoding);
        const foreseen = {
          mode: mode ?? before?.mode ?? "644",
          // A number becomes a name on the host, and a new file's owner is the account.
          ...named("owner", owner ?? before?.owner),
          ...named("group", group ?? before?.group),
          bytes: bytes.length,
          sha256: sha256(bytes),
        };
        const isSame = before !== null && Object.entries(foreseen).every(([key, value]) => before[key as keyof FileState] === value);
        if (isSame) return { effects: [], output: { path, changed: false, before } };
        return previewOf(before === null ? "create" : "change", { path, before, after: { path, ...foreseen } });
      }),
  };

  /** Idempotent: what is gone is gone. */
  const remove: ConnectorFunction = {
    ...times,
    title: "Delete a file",
    input: PathInput,
    output: ChangeOutput,
    effect: "idempotent",
    deletes: "file",
    undo,
    run: (given, attempt) => change(deps, attempt, (session) => deleteFile(session, { given, attempt, only: false })),
    preview: (given, attempt) =>
      withSession(deps, attempt, async (session) => {
        const { path, before } = await deleteFile(session, { given, attempt, only: true });
        return before === null
          ? { effects: [], output: { path, changed: false, before: null, after: null } }
          : previewOf("delete", { path, before });
      }),
  };

  /** Idempotent: a desired state; what somebody else has written since is refused. */
  const restore: ConnectorFunction = {
    ...times,
    title: "Put a file back as it was before a call",
    input: RestoreInput,
    output: RestoreOutput,
    effect: "idempotent",
    changes: "file",
    run: async (given, attempt) => {
      const { path, token } = parseInput(RestoreInput, given);
      attempt.afterStored(async (end) => {
        if (end === "completed") await forget(deps, attempt, token);
      });
      await withSession(deps, attempt, (session) => restoreFile(session, given, false));
      return { path };
    },
    preview: (given, attempt) =>
      withSession(deps, attempt, async (session) => {
        const { path, before } = parseInput(RestoreInput, given);
        const current = await restoreFile(session, given, true);
        const output = { path };
        if (lineFor(current) === lineFor(before)) return { effects: [], output };
        const kind = before === null ? "delete" : current === null ? "create" : "change";
        const after = before === null ? {} : { after: { path, ...before } };
        return { effects: [{ kind, resource: "file", name: path, ...after, isReversible: false }], output };
      }),
  };

  const read: ConnectorFunction = {
    ...times,
    title: "Read a file",
    input: PathInput,
    output: ReadOutput,
    effect: "read",
    run: (given, attempt) => withSession(deps, attempt, (session) => readFile(session, parseInput(PathInput, given).path)),
  };

  return { "file.write:1": write, "file.read:1": read, "file.delete:1": remove, "file.restore:1": restore };
}

function previewOf(
  kind: "create" | "change" | "delete",
  how: { readonly path: string; readonly before: FileState | null; readonly after?: JsonObject },
): EffectPreview {
  const { path, before, after } = how;
  const shown = before === null ? {} : { before: { path, ...before } };
  return {
    effects: [{ kind, resource: "file", name: path, ...shown, ...(after === undefined ? {} : { after }), isReversible: true }],
    output: { path, changed: true, before },
  };
}

function named(key: string, value: string | undefined): JsonObject {
  return value === undefined || /^\d+$/.test(value) ? {} : { [key]: value };
}

type Changed = z.infer<typeof ChangeOutput>;
interface Change {
  readonly given: JsonObject;
  readonly attempt: Attempt;
  /** Looks, and changes nothing. */
  readonly only: boolean;
}

/** What was kept of a file stays for the undo; what nobody will ask for goes. */
async function change(deps: SshDeps, attempt: Attempt, work: (session: SshSession) => Promise<Changed>): Promise<Changed> {
  let isKept = true;
  attempt.afterStored(async (end) => {
    if (end === "completed" && !isKept) await forget(deps, attempt, attempt.token);
  });
  const output = await withSession(deps, attempt, work);
  isKept = output.changed && output.before !== null;
  return output;
}

/** When the end is stored: what the token was kept for is not needed any more. */
export function forget(deps: SshDeps, attempt: Attempt, token: string): Promise<void> {
  return withSession(deps, afterwards(attempt), async (session) => {
    await ask(session, FORGET, { variables: { base: session.provider.directory, token } });
  });
}

async function writeFile(session: SshSession, { given, attempt, only }: Change): Promise<Changed> {
  const { path, content, encoding, mode = "", owner = "", group = "" } = parseInput(WriteInput, given);
  const bytes = Buffer.from(content, encoding);
  const { token } = attempt;
  const variables = { path, mode, owner, group, sha256: sha256(bytes), base: session.provider.directory, token, only: only ? "1" : "0" };
  const answer = await asked(session, path, () => ask(session, WRITE_FILE, { variables, ...(only ? {} : { input: bytes }) }));
  return changedOf(session, answer, { path, token });
}

async function deleteFile(session: SshSession, { given, attempt, only }: Change): Promise<Changed> {
  const { path } = parseInput(PathInput, given);
  const { token } = attempt;
  const variables = { path, base: session.provider.directory, token, only: only ? "1" : "0" };
  return changedOf(session, await asked(session, path, () => ask(session, DELETE_FILE, { variables })), { path, token });
}

/** @returns what was there just before. */
async function restoreFile(session: SshSession, given: JsonObject, only: boolean): Promise<FileState | null> {
  const { path, token, before, after } = parseInput(RestoreInput, given);
  const variables = {
    path,
    token,
    before: lineFor(before),
    after: lineFor(after),
    base: session.provider.directory,
    only: only ? "1" : "0",
  };
  const answer = await asked(session, path, () => ask(session, RESTORE_FILE, { variables }));
  return changedOf(session, answer, { path, token }).before;
}

async function readFile(session: SshSession, path: string): Promise<z.infer<typeof ReadOutput>> {
  const answer = await asked(session, path, () => ask(session, READ_FILE, { variables: { path, max: `${FILE_BYTES_MAX}` } }));
  const state = stateIn(session, answer, "now");
  if (state === null) throw session.strange();
  if (sha256(answer.rest) !== state.sha256) throw busy(`${path} was changed while it was read.`);
  const isText = isUtf8(answer.rest);
  return { path, content: answer.rest.toString(isText ? "utf8" : "base64"), encoding: isText ? "utf8" : "base64", ...state };
}

function changedOf(session: SshSession, answer: HostAnswer, how: { readonly path: string; readonly token: string }): Changed {
  const before = stateIn(session, answer, "before");
  const after = stateIn(session, answer, "now");
  return { path: how.path, changed: lineFor(before) !== lineFor(after), before, after, token: how.token };
}

/** Null for what is not there. @throws ConnectorError when the line is none of our program's. */
function stateIn(session: SshSession, { values }: HostAnswer, key: string): FileState | null {
  const state: PathState | undefined = readPathState(values.get(key) ?? "");
  if (state?.kind === "absent") return null;
  if (state?.kind !== "file") throw session.strange();
  const { kind: _, ...file } = state;
  return file;
}

function lineFor(state: FileState | null): string {
  return lineOf(state === null ? null : { kind: "file", ...state });
}

/** Turns a program's word into a sentence. */
async function asked(session: SshSession, path: string, work: () => Promise<HostAnswer>): Promise<HostAnswer> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof HostRefusal)) throw error;
    const { host } = session.provider;
    switch (error.word) {
      case "cut":
        throw busy(`The content for ${path} did not arrive whole on ${host}; nothing was changed.`);
      case "no-parent":
        throw session.refusal(`${host} has no directory ${error.said}: make it with \`directory.ensure\`.`);
      case "not-a-file":
      case "directory":
      case "other":
        throw session.refusal(`${path} on ${host} is no file.`);
      case "absent":
        throw session.refusal(`There is no file ${path} on ${host}.`);
      case "dangling":
        throw session.refusal(`${path} on ${host} is a link that leads nowhere.`);
      case "unreadable":
        throw session.refusal(`${session.provider.user} may not read ${error.said} on ${host}.`);
      case "too-large":
        throw session.refusal(`${path} on ${host} has more than ${FILE_BYTES_MAX / 1024 / 1024} MiB, too much for a value of a run.`);
      case "changed":
        throw session.refusal(
          `${path} on ${host} is not what the call left: somebody has changed it since, so it is not put back. Look at it, and settle it by hand.`,
        );
      case "not-kept":
        throw session.refusal(
          `What ${path} on ${host} held before is not kept any more (it is for ${KEPT_DAYS} days, in ${error.said}): put it back by hand, then settle or skip this.`,
        );
      default:
        throw session.strange();
    }
  }
}

function busy(message: string): ConnectorError {
  return new ConnectorError(message, { kind: "communication", outcome: "answered", retryable: true });
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
