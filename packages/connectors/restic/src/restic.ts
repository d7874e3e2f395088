import { ConnectorError, type ProgramEnd, programFile, type ProviderAccess, readProvider, runProgram, z } from "@tutti/connector-kit";

/** Words that restic takes for options begin with a dash; a path of a backup may be any text without a line end. */
export const CONFIGURATION = z.strictObject({
  repository: z
    .string()
    .regex(/^[^\p{Cc}\s]{1,2000}$/u, "where a repository is, without spaces")
    .meta({
      description:
        "Where it is: /srv/backup, rest:https://host:8000/name, sftp:user@host:/srv/backup, s3:https://host/bucket; no password in it",
    }),
  cacheDirectory: z
    .string()
    .regex(/^\/[\w./+@-]{1,1000}$/, "an absolute path")
    .optional()
    .meta({ description: "Left out: restic's own, in the home of Tutti's user" }),
  restic: z
    .string()
    .regex(/^[\w@%+=:,./-]{1,1024}$/, "a path without spaces and quotes")
    .default("restic")
    .meta({ description: "The program" }),
});
export const CREDENTIALS = z
  .strictObject({
    password: z.string().min(1).meta({ description: "Password of the repository: without it nothing is ever read again" }),
    user: z.string().min(1).optional().meta({ description: "Account at a rest: server" }),
    userPassword: z.string().min(1).optional().meta({ description: "Password of that account" }),
    accessKey: z.string().min(1).optional().meta({ description: "Of s3" }),
    secretKey: z.string().min(1).optional().meta({ description: "Of s3" }),
  })
  .refine(({ user, userPassword }) => (user === undefined) === (userPassword === undefined), "has user and userPassword, or neither")
  .refine(({ accessKey, secretKey }) => (accessKey === undefined) === (secretKey === undefined), "has accessKey and secretKey, or neither");

/** What looks and small changes take at most, over a slow line. */
export const ANSWER_MS = 300_000;
/** A first backup of a large disk over a slow line. */
export const WORK_MS = 24 * 3600 * 1000;
/** restic tells its progress so often, and ends when nobody is there any more to be told. */
const PROGRESS_PER_SECOND = "1";
const EXCERPT_CHARACTERS_MAX = 300;
const WRONG_PASSWORD =
  /wrong password or no key found|unauthorized|401|403|Access Denied|InvalidAccessKeyId|SignatureDoesNotMatch|Permission denied|permission denied/;
const NO_REPOSITORY = /unable to open config file|Is there a repository at the following location/;
/** What restic asks for first, so that nothing was done before. */
const AT_FIRST = /unable to open config file|create repository at \S+ failed/;
const NO_CONNECTION =
  /connection refused|no such host|network is unreachable|no route to host|dial tcp|i\/o timeout|TLS handshake|connection reset|subprocess ssh: exit/;
const LOCKED = /repository is already locked|unable to create lock/;
const BUSY = /Service Unavailable|503|temporarily unavailable|Too Many Requests|SlowDown/;

/** Surroundings of the program: what the connector itself is given. */
export type ResticEnvironment = Readonly<Record<string, string>>;

/** `restic`, as one attempt runs it. Secrets reach it through its environment and a file without a name, never in a word of the command. */
export class Restic {
  readonly provider: string;
  readonly #access: ProviderAccess;
  readonly #program: string;
  readonly #environment: ResticEnvironment;
  readonly #password: string;
  #hasChanged = false;

  /** @throws ConnectorError `configuration`. */
  constructor(environment: ResticEnvironment, access: ProviderAccess) {
    const { name, configuration, credentials } = readProvider({ configuration: CONFIGURATION, credentials: CREDENTIALS }, access);
    const { user, userPassword, accessKey, secretKey } = credentials;
    const { repository, cacheDirectory } = configuration;
    this.provider = name;
    this.#access = access;
    this.#program = configuration.restic;
    this.#password = credentials.password;
    // Written into the address as it is for a server, the secret has another form, which restic may tell on.
    if (userPassword !== undefined) access.mask(encodeURIComponent(userPassword));
    this.#environment = {
      ...environment,
      RESTIC_REPOSITORY: user === undefined || userPassword === undefined ? repository : withLogin(repository, user, userPassword),
      RESTIC_PASSWORD_FILE: programFile(0),
      RESTIC_PROGRESS_FPS: PROGRESS_PER_SECOND,
      ...(cacheDirectory === undefined ? {} : { RESTIC_CACHE_DIR: cacheDirectory }),
      ...(accessKey === undefined || secretKey === undefined ? {} : { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey }),
    };
  }

  /**
   * Runs a command to its end. @throws ConnectorError: whether it began, and may be tried again.
   *
   * @returns how it ended: 0, or one of `allow`.
   */
  async run(
    words: readonly string[],
    how: { readonly changes: boolean; readonly timeoutMs?: number; readonly allow?: (end: ProgramEnd) => boolean },
  ): Promise<ProgramEnd> {
    const end = await this.#end(words, how);
    if (end.code === 0 || how.allow?.(end) === true) return end;
    const error = this.#refused(end);
    if (!LOCKED.test(end.stderr)) throw error;
    // A lock of a process that is dead is taken away; one that lives is left, and the next try finds it.
    await this.#end(["unlock"], { changes: true });
    const again = await this.#end(words, how);
    if (again.code === 0 || how.allow?.(again) === true) return again;
    throw this.#refused(again);
  }

  /** What a command says as JSON, by a schema. @throws ConnectorError. */
  async read<Schema extends z.ZodType>(words: readonly string[], schema: Schema): Promise<z.infer<Schema>> {
    const { stdout } = await this.run([...words, "--json"], { changes: false });
    const parsed = schema.safeParse(jsonOf(stdout));
    if (!parsed.success) throw this.strange();
    return parsed.data;
  }

  /** What will never be done so. */
  refusal(message: string): ConnectorError {
    return new ConnectorError(message, { kind: "validation", outcome: "answered" });
  }

  /** What answers is another program, or another version. */
  strange(): ConnectorError {
    return new ConnectorError(
      `What the program of provider ${this.provider} answers is not what restic answers: correct \`restic\` in its configuration, or take restic 0.14 or later.`,
      { kind: "communication", outcome: this.#hasChanged ? "unknown" : "answered" },
    );
  }

  /** restic's words on one line with secrets masked, short enough to be told. */
  excerpt(said: string): string {
    const text = this.#access
      .masked(said)
      .replaceAll(/\s+/g, " ")
      .replace(/^Fatal: /, "")
      .trim();
    return text.length > EXCERPT_CHARACTERS_MAX ? `${text.slice(0, EXCERPT_CHARACTERS_MAX)}…` : text;
  }

  async #end(words: readonly string[], how: { readonly changes: boolean; readonly timeoutMs?: number }): Promise<ProgramEnd> {
    const { signal } = this.#access;
    const wasChanged = this.#hasChanged;
    const lost = (message: string, kind: "communication" | "timeout", retryable: boolean): ConnectorError =>
      new ConnectorError(message, { kind, outcome: this.#hasChanged ? "unknown" : "never-began", retryable });
    if (signal.aborted) throw lost("It was stopped before it began.", "timeout", false);
    this.#hasChanged ||= how.changes;
    const end = await runProgram([this.#program, ...words], {
      input: "",
      files: [this.#password],
      environment: this.#environment,
      timeoutMs: how.timeoutMs ?? ANSWER_MS,
      signal,
    });
    switch (end.kind) {
      case "not-started":
        this.#hasChanged = wasChanged;
        throw new ConnectorError(
          `The program ${this.#program} of provider ${this.provider} does not start (${end.code}): install restic, or correct its configuration.`,
          { kind: "configuration", outcome: wasChanged ? "unknown" : "never-began", retryable: true },
        );
      case "too-much":
        throw lost(`restic says more than ${end.bytesMax / 1024 / 1024} MiB.`, "communication", false);
      case "killed":
        throw signal.aborted
          ? lost("It was stopped.", "timeout", false)
          : lost("restic was ended before it had answered, or did not end in time.", "communication", true);
      case "ended":
        if (end.code !== 0 && AT_FIRST.test(end.stderr)) this.#hasChanged = wasChanged;
        return end;
    }
  }

  /** The error that an end without success is. What restic says it could not begin it has not begun. */
  #refused({ stderr }: ProgramEnd): ConnectorError {
    const said = this.excerpt(stderr);
    if (BUSY.test(stderr) || LOCKED.test(stderr))
      return new ConnectorError(`The repository of provider ${this.provider} can't now: ${said}`, {
        kind: "communication",
        outcome: "answered",
        retryable: true,
      });
    if (NO_CONNECTION.test(stderr))
      return new ConnectorError(
        `The repository of provider ${this.provider} can't be reached: start its server, or correct \`repository\`. restic says: ${said}`,
        {
          kind: "communication",
          outcome: AT_FIRST.test(stderr) && !this.#hasChanged ? "never-began" : "unknown",
          retryable: true,
        },
      );
    if (WRONG_PASSWORD.test(stderr))
      return new ConnectorError(
        `The repository of provider ${this.provider} does not open: correct the secrets of its credentials. restic says: ${said}`,
        {
          kind: "authentication",
          outcome: "answered",
        },
      );
    if (NO_REPOSITORY.test(stderr))
      return this.refusal(
        `There is no repository where provider ${this.provider} looks for it: \`backup.init\` makes one. restic says: ${said}`,
      );
    return this.refusal(`restic refuses it: ${said}`);
  }
}

function withLogin(repository: string, user: string, password: string): string {
  return repository.replace(/^(rest:https?:\/\/)(?:[^@/]*@)?/, `$1${encodeURIComponent(user)}:${encodeURIComponent(password)}@`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
