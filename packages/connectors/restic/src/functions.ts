import { type Attempt, type ConnectorFunction, parseInput, z } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import { ANSWER_MS, Restic, type ResticEnvironment, WORK_MS } from "./restic.ts";
import { listSnapshots, Snapshot } from "./snapshots.ts";

/** Each attempt is a process, and restic itself works on several files at once. */
const PROCESSES_MAX = 4;
const TIMES = { requestTimeoutMs: ANSWER_MS, settleMs: 0, concurrencyMax: PROCESSES_MAX };
const PATHS_MAX = 1000;
/** restic's own code for a backup of which some files could not be read. */
const EXIT_INCOMPLETE = 3;
/** A path that is not there is success to it, as long as there is another. */
const MISSING = /does not exist, skipping/;
const EXISTS = /config file already exists|repository master key and config already initialized/;

const Path = z.string().regex(/^\/[^\p{Cc}]{0,4095}$/u, "an absolute path on Tutti's machine");
const Pattern = z.string().regex(/^[^\p{Cc}]{1,4096}$/u, "a pattern without line ends");
const Tag = z
  .string()
  .regex(/^[\w.:@/+-]{1,100}$/, "a tag of letters, digits and _ . : @ / + -")
  .refine((tag) => !tag.startsWith("tok_"), "none that begins as a token");
const HostName = z.string().regex(/^[A-Za-z0-9][\w.-]{0,252}$/, "the name of a host");
const TokenText = z.string().regex(/^tok_[0-9a-f]{32}$/, "a token");
const SnapshotId = z.string().regex(/^[0-9a-f]{8,64}$/, "the id of a snapshot, as `snapshot.list` tells it");

const RunInput = z.strictObject({
  paths: z.array(Path).min(1).max(PATHS_MAX),
  excludes: z.array(Pattern).max(PATHS_MAX).default([]).meta({ description: "Patterns of what is left out" }),
  tags: z.array(Tag).max(50).default([]),
  host: HostName.optional().meta({ description: "Whose files they are; left out: this machine's name" }),
  oneFileSystem: z.boolean().default(false),
  allowUnreadable: z
    .boolean()
    .default(false)
    .meta({ description: "Keep a backup in which files are missing that are not there or could not be read" }),
});
const ListInput = z.strictObject({
  host: HostName.optional(),
  tags: z.array(Tag).max(50).default([]).meta({ description: "All of these" }),
});
const Which = {
  snapshot: SnapshotId.optional(),
  token: TokenText.optional().meta({ description: "Or the one that the call with this token made" }),
};
const isOne = ({ snapshot, token }: { readonly snapshot?: string | undefined; readonly token?: string | undefined }): boolean =>
  (snapshot === undefined) !== (token === undefined);
const ForgetInput = z
  .strictObject({ ...Which, prune: z.boolean().default(false).meta({ description: "Also give back the space, which takes long" }) })
  .refine(isOne, "name snapshot or token");
const RestoreInput = z
  .strictObject({
    ...Which,
    target: Path.meta({ description: "Directory under which the paths of the backup come; what is there is replaced" }),
    includes: z.array(Pattern).max(PATHS_MAX).default([]).meta({ description: "Only what these patterns name" }),
  })
  .refine(isOne, "name snapshot or token");
const CheckInput = z.strictObject({
  readData: z
    .string()
    .regex(/^(?:100|[1-9]?\d)%$/, "a percentage: 5%")
    .optional()
    .meta({ description: "Also read so much of the data; left out: only how it hangs together" }),
});
const Repository = z.strictObject({ repository: z.string() });

export function resticFunctions(environment: ResticEnvironment): Readonly<Record<string, ConnectorFunction>> {
  return {
    "backup.init:1": init(environment),
    "backup.run:1": backup(environment),
    "snapshot.list:1": {
      ...TIMES,
      title: "List the backups of a repository",
      input: ListInput,
      output: z.strictObject({ snapshots: z.array(Snapshot) }),
      effect: "read",
      run: async (given, attempt) => ({
        snapshots: [...(await listSnapshots(new Restic(environment, attempt), parseInput(ListInput, given)))],
      }),
    },
    "snapshot.forget:1": forget(environment),
    "restore.run:1": restore(environment),
    "repository.check:1": check(environment),
  };
}

/** The repository's id. @throws ConnectorError. */
export async function repositoryId(restic: Restic): Promise<string> {
  return (await restic.read(["cat", "config", "--no-lock"], z.looseObject({ id: z.string().min(1), version: z.number() }))).id;
}

/** Idempotent: restic makes no second repository in the place of a first. What is in it can't be brought back, so it is not undone. */
function init(environment: ResticEnvironment): ConnectorFunction {
  return {
    ...TIMES,
    title: "Make the repository, unless it is there",
    input: z.strictObject({}),
    output: Repository,
    effect: "idempotent",
    irreversible: true,
    run: async (given, attempt) => {
      parseInput(z.strictObject({}), given);
      const restic = new Restic(environment, attempt);
      await restic.run(["init"], { changes: true, allow: ({ stderr }) => EXISTS.test(stderr) });
      return { repository: await repositoryId(restic) };
    },
  };
}

/**
 * Findable: the snapshot has the token as a tag. A process that lost its Tutti ends with the next line of its progress and leaves no snapshot; restic takes
 * any number of equal ones, so an absent one is believed when the request's time is over.
 */
function backup(environment: ResticEnvironment): ConnectorFunction {
  const found = async (restic: Restic, { token }: Attempt): Promise<Snapshot | undefined> =>
    (await listSnapshots(restic, { tags: [token] })).at(-1);
  return {
    ...TIMES,
    title: "Back up files and directories of Tutti's machine",
    input: RunInput,
    output: Snapshot,
    effect: "findable",
    creates: "snapshot",
    undo: { call: "snapshot.forget:1", with: { token: "${ .output.token }" } },
    run: async (given, attempt) => {
      const { paths, excludes, tags, host, oneFileSystem, allowUnreadable } = parseInput(RunInput, given);
      const restic = new Restic(environment, attempt);
      const words = [
        `--tag=${[attempt.token, ...tags].join(",")}`,
        ...(host === undefined ? [] : [`--host=${host}`]),
        ...(oneFileSystem ? ["--one-file-system"] : []),
        ...excludes.map((pattern) => `--exclude=${pattern}`),
      ];
      const { code, stderr } = await restic.run(["backup", "--json", ...words, "--", ...paths], {
        changes: true,
        timeoutMs: WORK_MS,
        allow: (end) => end.code === EXIT_INCOMPLETE,
      });
      if ((code === EXIT_INCOMPLETE || MISSING.test(stderr)) && !allowUnreadable) {
        await forgetAll(
          restic,
          (await listSnapshots(restic, { tags: [attempt.token] })).map(({ snapshot }) => snapshot),
          false,
        );
        throw restic.refusal(
          `Not all files are there and could be read, so the backup was not kept: ${restic.excerpt(stderr)} Exclude them, or say allowUnreadable.`,
        );
      }
      const made = await found(restic, attempt);
      if (made === undefined) throw restic.strange();
      return made;
    },
    find: async (_, attempt) => found(new Restic(environment, attempt), attempt),
    preview: async (given, attempt) => {
      const { paths, tags } = parseInput(RunInput, given);
      await repositoryId(new Restic(environment, attempt));
      const after = { token: attempt.token, paths: paths.toSorted(), tags };
      // The repository names it.
      return { effects: [{ kind: "create", resource: "snapshot", after, isReversible: true }], output: after };
    },
  };
}

/** Idempotent: what is gone is gone. */
function forget(environment: ResticEnvironment): ConnectorFunction {
  return {
    ...TIMES,
    title: "Delete a backup",
    input: ForgetInput,
    output: z.strictObject({}),
    effect: "idempotent",
    deletes: "snapshot",
    irreversible: true,
    run: async (given, attempt) => {
      const restic = new Restic(environment, attempt);
      const { prune } = parseInput(ForgetInput, given);
      await forgetAll(
        restic,
        (await meant(restic, given)).map(({ snapshot }) => snapshot),
        prune,
      );
      return {};
    },
    preview: async (given, attempt) => {
      const all = await meant(new Restic(environment, attempt), given);
      return {
        effects: all.map((each) => ({
          kind: "delete" as const,
          resource: "snapshot",
          name: each.snapshot,
          before: each,
          isReversible: false,
        })),
        output: {},
      };
    },
  };
}

/** Idempotent: the same files come out. What they replace is lost, so it can't be undone. */
function restore(environment: ResticEnvironment): ConnectorFunction {
  return {
    ...TIMES,
    title: "Bring back files of a backup to a directory of Tutti's machine",
    input: RestoreInput,
    output: z.strictObject({ snapshot: z.string(), target: z.string() }),
    effect: "idempotent",
    irreversible: true,
    run: async (given, attempt) => {
      const { target, includes } = parseInput(RestoreInput, given);
      const restic = new Restic(environment, attempt);
      const [first] = await meant(restic, given);
      if (first === undefined) throw restic.refusal("There is no such backup; `snapshot.list` tells which there are.");
      const words = [first.snapshot, `--target=${target}`, ...includes.map((pattern) => `--include=${pattern}`)];
      await restic.run(["restore", ...words], { changes: true, timeoutMs: WORK_MS });
      return { snapshot: first.snapshot, target };
    },
  };
}

/** A look, though one that takes the repository's lock for itself. */
function check(environment: ResticEnvironment): ConnectorFunction {
  return {
    ...TIMES,
    title: "Check a repository: whether everything in it hangs together, and can be read",
    input: CheckInput,
    output: Repository,
    effect: "read",
    run: async (given, attempt) => {
      const { readData } = parseInput(CheckInput, given);
      const restic = new Restic(environment, attempt);
      const repository = await repositoryId(restic);
      const { stdout } = await restic.run(["check", ...(readData === undefined ? [] : [`--read-data-subset=${readData}`])], {
        changes: false,
        timeoutMs: WORK_MS,
      });
      if (!stdout.includes("no errors were found")) throw restic.strange();
      return { repository };
    },
  };
}

/** The backups that an input means: none, when they are gone. */
async function meant(restic: Restic, given: JsonObject): Promise<readonly Snapshot[]> {
  const token = typeof given["token"] === "string" ? given["token"] : undefined;
  const id = typeof given["snapshot"] === "string" ? given["snapshot"] : undefined;
  return token === undefined
    ? (await listSnapshots(restic)).filter(({ snapshot }) => id !== undefined && snapshot.startsWith(id))
    : listSnapshots(restic, { tags: [token] });
}

async function forgetAll(restic: Restic, ids: readonly string[], prune: boolean): Promise<void> {
  if (ids.length === 0) return;
  await restic.run(["forget", ...(prune ? ["--prune"] : []), ...ids], { changes: true, timeoutMs: WORK_MS });
}
