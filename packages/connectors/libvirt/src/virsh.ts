import { ConnectorError, type ProgramEnd, type ProviderAccess, readProvider, runProgram, z } from "@tutti/connector-kit";
import type { Element } from "@xmldom/xmldom";
import { PoolName, NetworkName } from "./names.ts";
import { readXml } from "./xml.ts";

export const CONFIGURATION = z.strictObject({
  uri: z
    .string()
    .regex(/^[a-z][a-z0-9+]*:\/\/[^\s'"`<>\\]{0,1000}$/, "a connection URI of libvirt")
    .meta({ description: "Where libvirt is: qemu:///system, qemu+ssh://root@host/system, qemu+tcp://host/system, qemu+tls://host/system" }),
  pool: PoolName.default("default").meta({ description: "Storage pool in which disks are made" }),
  imagePool: PoolName.optional().meta({ description: "Storage pool of the images; left out: the pool of the disks" }),
  network: NetworkName.default("default").meta({ description: "Network of machines that name none" }),
  virtualization: z
    .enum(["kvm", "qemu"])
    .default("kvm")
    .meta({ description: "kvm: by the processor; qemu: emulated, slow, works everywhere" }),
  virsh: z
    .string()
    .regex(/^[\w@%+=:,./-]{1,1024}$/, "a path without spaces and quotes")
    .default("virsh")
    .meta({ description: "The program" }),
});
export const CREDENTIALS = z.strictObject({});

/** A snapshot of a machine that runs writes its memory to the disk, the slowest of what is asked for here. */
export const ANSWER_MS = 120_000;
/** Each attempt is a process. */
export const PROCESSES_MAX = 8;
export const TIMES = { requestTimeoutMs: ANSWER_MS, settleMs: 0, concurrencyMax: PROCESSES_MAX } as const;
/** What of virsh's words is told on. */
const EXCERPT_CHARACTERS_MAX = 300;

const NOT_CONNECTED = /failed to connect to the hypervisor|Cannot recv data|failed to reconnect/;
const NOT_PERMITTED =
  /Permission denied|[Aa]uthentication (?:failed|unavailable)|authentication required|access denied|not authorized|Host key verification failed/;
const BAD_ADDRESS =
  /unexpected \w+ URI|no connection driver|Failed to parse|invalid (?:connection|URI)|Name or service not known|Could not resolve hostname|unable to resolve/;
const LOST =
  /End of file while reading|Disconnected from|Connection reset|client socket is closed|Broken pipe|keepalive timeout|internal error: client socket/;
const BUSY =
  /cannot acquire state change lock|[Tt]imed out|another \w+ job|already in the process|is in use by another|Resource temporarily unavailable/;
const ABSENT =
  /failed to get (?:domain|vol|pool|network|snapshot)|(?:Domain|Storage volume|Storage pool|Network|Domain snapshot) not found|no domain with matching|no storage (?:vol|pool) with matching|no network with matching|no domain snapshot with matching/;

/** How words and surroundings of the program are made: what the connector itself is given. */
export type VirshEnvironment = Readonly<Record<string, string>>;

export interface VirshOptions {
  /** What `/dev/stdin` gives. */
  readonly input?: string;
  readonly files?: readonly Uint8Array[];
  readonly timeoutMs?: number;
}

/** What became of a change: done, or why it was refused in virsh's words. */
export type ChangeEnd = { readonly kind: "done" } | { readonly kind: "absent" | "refused"; readonly said: string };

/**
 * `virsh`, as one attempt runs it, without a shell. What an author writes reaches it as checked names, or as XML on its standard input.
 */
export class Virsh {
  readonly provider: string;
  readonly configuration: z.infer<typeof CONFIGURATION>;
  readonly #access: ProviderAccess;
  readonly #environment: VirshEnvironment;
  /** A change was sent: from then on a failure is none that never began. */
  #hasChanged = false;

  /** @throws ConnectorError `configuration`. */
  constructor(environment: VirshEnvironment, access: ProviderAccess) {
    const { name, configuration } = readProvider({ configuration: CONFIGURATION, credentials: CREDENTIALS }, access);
    this.provider = name;
    this.configuration = configuration;
    this.#access = access;
    this.#environment = environment;
  }

  get signal(): AbortSignal {
    return this.#access.signal;
  }

  /** What a reading command says; undefined when what it is about is not there. @throws ConnectorError. */
  async read(...words: readonly string[]): Promise<string | undefined> {
    const end = await this.#run(words, false, {});
    const said = this.#judged(end);
    if (end.code === 0) return end.stdout;
    if (ABSENT.test(said)) return undefined;
    throw this.refusal(`libvirt refuses it: ${this.#excerpt(said)}`);
  }

  /** What a reading command says; undefined when libvirt can't say it, as of a machine that does not run. @throws ConnectorError. */
  async readIfPossible(...words: readonly string[]): Promise<string | undefined> {
    const end = await this.#run(words, false, {});
    this.#judged(end);
    return end.code === 0 ? end.stdout : undefined;
  }

  /**
   * The documents that several reading commands give, one each; those about what is not there give none. What is neither given nor said to be missing
   * is no absence. @throws ConnectorError.
   */
  async readDocuments(root: string, commands: readonly string[]): Promise<readonly Element[]> {
    if (commands.length === 0) return [];
    const end = await this.#run([commands.join("; ")], false, {});
    const lines = this.#judged(end)
      .split("\n")
      .filter((line) => line.trim() !== "");
    const refused = lines.find((line) => !ABSENT.test(line));
    if (refused !== undefined) throw this.refusal(`libvirt refuses it: ${this.#excerpt(refused)}`);
    const documents = readXml(end.stdout);
    const hasAll = documents !== undefined && documents.length + lines.length >= commands.length && documents.length <= commands.length;
    if (!hasAll || documents.some(({ localName }) => localName !== root)) throw this.strange();
    return documents;
  }

  /** Carries out one change. @throws ConnectorError when it is not known whether it was carried out, or may be tried again. */
  async change(words: readonly string[], options: VirshOptions = {}): Promise<ChangeEnd> {
    const end = await this.#run(words, true, options);
    const said = this.#judged(end);
    if (end.code === 0) {
      if (!isAnswerToChange(end.stdout)) throw this.strange();
      return { kind: "done" };
    }
    return { kind: ABSENT.test(said) ? "absent" : "refused", said: this.#excerpt(said) };
  }

  /** A change that must be done. @throws ConnectorError also when it is refused. */
  async must(words: readonly string[], options: VirshOptions = {}): Promise<void> {
    const end = await this.change(words, options);
    if (end.kind !== "done") throw this.refusal(`libvirt refuses it: ${end.said}`);
  }

  /** What will never be done so. */
  refusal(message: string): ConnectorError {
    return new ConnectorError(message, { kind: "validation", outcome: "answered" });
  }

  /** What may be done a moment later. */
  busy(message: string): ConnectorError {
    return new ConnectorError(message, { kind: "communication", outcome: "answered", retryable: true });
  }

  /** What did not come in the time that the author gave. */
  late(message: string): ConnectorError {
    return new ConnectorError(message, { kind: "timeout", outcome: "answered", retryable: true });
  }

  /** What answers is another program, or another version. */
  strange(): ConnectorError {
    return new ConnectorError(
      `What the program of provider ${this.provider} answers is not what virsh answers: correct \`virsh\` in its configuration, or take libvirt 8 or later.`,
      { kind: "communication", outcome: this.#hasChanged ? "unknown" : "answered" },
    );
  }

  /** @throws ConnectorError when the attempt was asked to stop. */
  mustGoOn(): void {
    if (this.signal.aborted) throw this.#failed("It was stopped.", { kind: "timeout", hasBegun: false, retryable: false });
  }

  async #run(words: readonly string[], changes: boolean, options: VirshOptions): Promise<ProgramEnd> {
    this.mustGoOn();
    const wasChanged = this.#hasChanged;
    this.#hasChanged ||= changes;
    const end = await runProgram([this.configuration.virsh, "-c", this.configuration.uri, ...words], {
      input: options.input ?? "",
      ...(options.files === undefined ? {} : { files: options.files }),
      environment: this.#environment,
      timeoutMs: options.timeoutMs ?? ANSWER_MS,
      signal: this.signal,
    });
    switch (end.kind) {
      case "not-started":
        this.#hasChanged = wasChanged;
        throw new ConnectorError(
          `The program ${this.configuration.virsh} of provider ${this.provider} does not start (${end.code}): install libvirt-clients, or correct its configuration.`,
          { kind: "configuration", outcome: wasChanged ? "unknown" : "never-began", retryable: true },
        );
      case "too-much":
        throw this.#failed(`virsh says more than ${end.bytesMax / 1024 / 1024} MiB.`, {
          kind: "communication",
          hasBegun: changes,
          retryable: false,
        });
      case "killed":
        throw this.signal.aborted
          ? this.#failed("It was stopped.", { kind: "timeout", hasBegun: true, retryable: false })
          : this.#failed("virsh was ended before it had answered, or did not answer in time.", {
              kind: "communication",
              hasBegun: changes,
              retryable: true,
            });
      case "ended":
        // What was refused has changed nothing; that it was not refused, but lost, is seen next.
        if (end.code !== 0 && !LOST.test(end.stderr)) this.#hasChanged = wasChanged;
        return end;
    }
  }

  /** What virsh said in its own words. @throws ConnectorError for what is not about the command. */
  #judged({ code, stderr }: ProgramEnd): string {
    const said = stderr.trim();
    if (code === 0) return said;
    if (NOT_CONNECTED.test(said)) throw this.#notConnected(said);
    if (LOST.test(said))
      throw this.#failed(`The connection to libvirt was lost: ${this.#excerpt(said)}`, {
        kind: "communication",
        hasBegun: this.#hasChanged,
        retryable: true,
      });
    if (BUSY.test(said)) throw this.busy(`libvirt can't now: ${this.#excerpt(said)}`);
    return said;
  }

  #notConnected(said: string): ConnectorError {
    const outcome = this.#hasChanged ? "unknown" : "never-began";
    if (NOT_PERMITTED.test(said))
      return new ConnectorError(
        `libvirt at ${this.#place()} does not let provider ${this.provider} in: run Tutti as a user of the group libvirt, or correct account and keys. It says: ${this.#excerpt(said)}`,
        { kind: "authorization", outcome },
      );
    if (BAD_ADDRESS.test(said))
      return new ConnectorError(`The uri of provider ${this.provider} leads nowhere: correct it. virsh says: ${this.#excerpt(said)}`, {
        kind: "configuration",
        outcome,
      });
    return new ConnectorError(
      `libvirt at ${this.#place()} can't be reached: start it (libvirtd, or virtqemud), or correct the uri of provider ${this.provider}. virsh says: ${this.#excerpt(said)}`,
      { kind: "communication", outcome, retryable: true },
    );
  }

  #failed(
    message: string,
    options: { readonly kind: "communication" | "timeout"; readonly hasBegun: boolean; readonly retryable: boolean },
  ): ConnectorError {
    return new ConnectorError(message, {
      kind: options.kind,
      outcome: options.hasBegun || this.#hasChanged ? "unknown" : "never-began",
      retryable: options.retryable,
    });
  }

  /** The uri without what may stand in its query. */
  #place(): string {
    return this.configuration.uri.split("?")[0] ?? "";
  }

  #excerpt(said: string): string {
    const text = this.#access
      .masked(said)
      .replaceAll(/^error: /gm, "")
      .replaceAll(/\s+/g, " ")
      .trim();
    return text.length > EXCERPT_CHARACTERS_MAX ? `${text.slice(0, EXCERPT_CHARACTERS_MAX)}…` : text;
  }
}

/** A word in a line of several commands. */
export function quoted(word: string): string {
  return `"${word.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** A change is answered by a sentence about what was changed, or by nothing. */
function isAnswerToChange(said: string): boolean {
  const text = said.trim();
  return text === "" || /^(?:Domain|Vol|Volume|Network|Device|Disk|Size|Block device|Metadata)\b/.test(text);
}
