import { ConnectorError, type ProgramEnd, type ProviderAccess, readProvider, runProgram, z } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import { type Ruleset, readRuleset } from "./ruleset.ts";

/** A word of a command: it may pass a remote shell (ssh joins words), so nothing that one reads as more than a letter. */
const WORD = /^[\w@%+=:,./-]{1,1024}$/;

export const CONFIGURATION = z.strictObject({
  namespace: z
    .string()
    .regex(/^\w[\w.-]{0,254}$/, "the name of a network namespace")
    .optional()
    .meta({ description: "Network namespace (ip netns) whose rules are meant; left out: that of the machine" }),
  command: z
    .array(z.string().regex(WORD, "a word without spaces and quotes"))
    .max(32)
    .default([])
    .meta({ description: "Words before the program, such as ssh, -oBatchMode=yes, root@fw1" }),
  nft: z.string().regex(WORD, "a path without spaces and quotes").default("nft").meta({ description: "The program" }),
});
export const CREDENTIALS = z.strictObject({});

/** A list of a large ruleset takes seconds; the connection of an ssh before it some more. */
export const ANSWER_MS = 30_000;
/** What of nft's words is told on. */
const EXCERPT_CHARACTERS_MAX = 300;
/** ssh's way to say that the connection was lost, or never there. */
const EXIT_CONNECTION = 255;
const EXIT_NO_PROGRAM = 127;
const NOT_PERMITTED = /Operation not permitted|Permission denied|must be root/;
const BUSY = /Resource temporarily unavailable|Device or resource busy|Interrupted system call|No buffer space available/;
export const ABSENT = "No such file or directory";
export const PRESENT = "File exists";
/** What nft itself sees before the kernel does. */
const OVERLAP = "overlaps with an existing";

/** How words and surroundings of the program are made: what the connector itself is given. */
export type NftEnvironment = Readonly<Record<string, string>>;

/** What nft said to a transaction that it has not carried out, nor a part of it. */
export type TransactionEnd = "done" | typeof ABSENT | typeof PRESENT;

/**
 * `nft -j -f -`, as one attempt runs it. What is asked for and what is changed goes to the program's standard input as JSON, and the words of the
 * command are the provider's alone: nothing that an author writes reaches a shell or a command line.
 */
export class Nft {
  readonly provider: string;
  readonly #access: ProviderAccess;
  readonly #environment: NftEnvironment;
  readonly #words: readonly string[];
  readonly #mayBeLost: boolean;
  /** A transaction was sent: from then on a failure is none that never began. */
  #hasChanged = false;

  /** @throws ConnectorError `configuration`. */
  constructor(environment: NftEnvironment, access: ProviderAccess) {
    const { name, configuration } = readProvider({ configuration: CONFIGURATION, credentials: CREDENTIALS }, access);
    const { namespace, command, nft } = configuration;
    this.provider = name;
    this.#access = access;
    this.#environment = environment;
    this.#mayBeLost = command.length > 0;
    this.#words = [...command, ...(namespace === undefined ? [] : ["nsenter", `--net=/run/netns/${namespace}`]), nft, "-j", "-f", "-"];
  }

  /** All tables. @throws ConnectorError. */
  async ruleset(): Promise<Ruleset> {
    const listed = await this.#list({ ruleset: null });
    if (listed === undefined) throw this.strange();
    return listed;
  }

  /** One table with everything in it; undefined when it is not there. @throws ConnectorError. */
  table(family: string, name: string): Promise<Ruleset | undefined> {
    return this.#list({ table: { family, name } });
  }

  /**
   * Carries out all commands, or none of them.
   *
   * @returns what was missing or there already, when that is why nothing was done.
   * @throws ConnectorError: whether it began, and may be tried again.
   */
  async transaction(commands: readonly JsonObject[]): Promise<TransactionEnd> {
    const end = await this.#run(commands, true);
    if (end.code === 0) {
      if (end.stdout.trim() !== "") throw this.strange();
      return "done";
    }
    const said = this.#judged(end);
    if (said.includes(PRESENT) || said.includes(OVERLAP)) return PRESENT;
    if (said.includes(ABSENT)) return ABSENT;
    throw this.refusal(`nft refuses it: ${this.#excerpt(said)}`);
  }

  /** What will never be done so. */
  refusal(message: string): ConnectorError {
    return new ConnectorError(message, { kind: "validation", outcome: "answered" });
  }

  /** What may be done a moment later. */
  busy(message: string): ConnectorError {
    return new ConnectorError(message, { kind: "communication", outcome: "answered", retryable: true });
  }

  /** What answers is another program, or another version. */
  strange(): ConnectorError {
    return new ConnectorError(
      `What the command of provider ${this.provider} answers is not what nft -j answers: correct its configuration, or take nftables 1.0 or later.`,
      { kind: "communication", outcome: this.#hasChanged ? "unknown" : "answered" },
    );
  }

  async #list(what: JsonObject): Promise<Ruleset | undefined> {
    const end = await this.#run([{ list: what }], false);
    if (end.code !== 0) {
      const said = this.#judged(end);
      if (said.includes(ABSENT)) return undefined;
      throw this.refusal(`nft refuses to list: ${this.#excerpt(said)}`);
    }
    const ruleset = readRuleset(end.stdout);
    if (ruleset === undefined) throw this.strange();
    return ruleset;
  }

  async #run(commands: readonly JsonObject[], changes: boolean): Promise<ProgramEnd> {
    const { signal } = this.#access;
    if (signal.aborted) throw this.#failed("It was stopped before it began.", { kind: "timeout", hasBegun: false, retryable: false });
    const wasChanged = this.#hasChanged;
    this.#hasChanged ||= changes;
    const input: Json = { nftables: [...commands] };
    const end = await runProgram(this.#words, {
      input: JSON.stringify(input),
      environment: this.#environment,
      timeoutMs: ANSWER_MS,
      signal,
    });
    switch (end.kind) {
      case "not-started":
        this.#hasChanged = wasChanged;
        throw this.#notStarted(end.code);
      case "too-much":
        throw this.#failed(`nft says more than ${end.bytesMax / 1024 / 1024} MiB.`, {
          kind: "communication",
          hasBegun: true,
          retryable: false,
        });
      case "killed":
        throw signal.aborted
          ? this.#failed("It was stopped.", { kind: "timeout", hasBegun: true, retryable: false })
          : this.#failed("nft was ended before it had answered, or did not answer in time.", {
              kind: "communication",
              hasBegun: true,
              retryable: true,
            });
      case "ended":
        // A transaction that was refused has changed nothing.
        if (end.code !== 0 && end.code !== EXIT_CONNECTION) this.#hasChanged = wasChanged;
        return end;
    }
  }

  /** What nft said in its own words. @throws ConnectorError for what is not about the commands. */
  #judged({ code, stderr }: ProgramEnd): string {
    if (code === EXIT_CONNECTION && this.#mayBeLost)
      throw this.#failed(`The command of provider ${this.provider} lost its way to nft: ${this.#excerpt(stderr)}`, {
        kind: "communication",
        hasBegun: true,
        retryable: true,
      });
    if (code === EXIT_NO_PROGRAM)
      throw new ConnectorError(
        `There is no nft where provider ${this.provider} looks for it: install nftables, or correct its configuration.`,
        {
          kind: "configuration",
          outcome: "answered",
        },
      );
    if (NOT_PERMITTED.test(stderr))
      throw new ConnectorError(
        `The rules of provider ${this.provider} may not be read or changed: nft needs root, or CAP_NET_ADMIN. It says: ${this.#excerpt(stderr)}`,
        { kind: "authorization", outcome: "answered" },
      );
    if (BUSY.test(stderr)) throw this.busy(`nft can't now: ${this.#excerpt(stderr)}`);
    if (stderr.includes("/run/netns/"))
      throw new ConnectorError(`There is no such network namespace: ${this.#excerpt(stderr)}`, {
        kind: "configuration",
        outcome: "answered",
      });
    return stderr;
  }

  #notStarted(code: string): ConnectorError {
    return this.#failed(
      `${JSON.stringify(this.#words[0])} of provider ${this.provider} could not be started (${code}): install it, or correct the provider's configuration.`,
      { kind: "communication", hasBegun: false, retryable: true },
    );
  }

  #failed(
    message: string,
    how: { readonly kind: "timeout" | "communication"; readonly hasBegun: boolean; readonly retryable: boolean },
  ): ConnectorError {
    const outcome = how.hasBegun || this.#hasChanged ? "unknown" : "never-began";
    return new ConnectorError(message, { kind: how.kind, outcome, retryable: how.retryable });
  }

  /** Masked before it is cut. */
  #excerpt(said: string): string {
    return this.#access.masked(said).replaceAll(/\s+/g, " ").trim().slice(0, EXCERPT_CHARACTERS_MAX);
  }
}
