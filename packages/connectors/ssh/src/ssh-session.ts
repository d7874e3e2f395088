import { randomBytes } from "node:crypto";
import { connectTcp } from "@tutti/connector-http";
import { ConnectorError, type Network, type ProviderAccess } from "@tutti/connector-kit";
import type { Client, ClientChannel, ConnectConfig } from "ssh2";
import { fingerprintOf, proofsFor } from "./host-key.ts";
import { AfterMark } from "./marker.ts";
import { connectFailure, excerptOf } from "./ssh-failure.ts";
import { misconfigured, type SshProvider } from "./ssh-provider.ts";

export interface SshLimits {
  /** From asking for a connection to having one. */
  readonly connectMs: number;
  /** From the connection to being logged in; sshd itself gives two minutes. */
  readonly loginMs: number;
  /** Of a program of the connector's own, from being sent to its end. */
  readonly programMs: number;
}

export const DEFAULT_SSH_LIMITS: SshLimits = { connectMs: 10_000, loginMs: 30_000, programMs: 60_000 };

/** A connection whose other side is silent for so many intervals is lost. */
const KEEPALIVE = { intervalMs: 15_000, countMax: 4 } as const;
/** A quiet command is looked after so often: well below the five minutes after which an attempt without heartbeat is taken for hung. */
const ALIVE_CHECK_MS = 60_000;
/** Of the output of a program of the connector's own. */
const ANSWER_BYTES_MAX = 24 * 1024 * 1024;
const BUSY =
  /Resource temporarily unavailable|Too many open files|Cannot allocate memory|fork: retry|No space left on device|Disk quota exceeded/;

export interface SshDeps {
  readonly network: Network;
  readonly limits: SshLimits;
}

/** How a program on the host ended. */
export interface RemoteEnd {
  readonly code: number | undefined;
  /** The signal that ended it, without SIG. */
  readonly signal: string | undefined;
  /** What the program said with its mark, before anything else. */
  readonly word: string;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

export interface RemoteProgram {
  /** For a POSIX shell; it says `mark` first. Nothing of it stands on a command line. */
  readonly text: (mark: string) => string;
  readonly input?: Buffer;
  /** Takes the output as it comes, in place of collecting it; false ends the program's connection as a flood. */
  readonly onOutput?: (stream: "stdout" | "stderr", chunk: Buffer) => boolean;
  /** The program has said its mark. */
  readonly onStarted?: (word: string) => void;
  /** The program is the author's, with no limit but the attempt's own; called now and then while host and connection are well. */
  readonly onAlive?: () => void;
  /** Goes on when the attempt is stopped, within this time: what tidies up after it. */
  readonly despiteAbortMs?: number;
}

/** Too much was said; the connection is still there. */
export class FloodError extends Error {}

/** A connection to a host, logged in, for one attempt. */
export class SshSession {
  readonly provider: SshProvider;
  readonly #client: Client;
  readonly #access: ProviderAccess;
  readonly #limits: SshLimits;
  #lost: Error | undefined;
  /** A program was sent: from then on a lost connection leaves the outcome unknown. */
  #hasBegun = false;

  private constructor(provider: SshProvider, client: Client, how: { readonly access: ProviderAccess; readonly limits: SshLimits }) {
    this.provider = provider;
    this.#client = client;
    this.#access = how.access;
    this.#limits = how.limits;
    client.on("error", (error: Error) => (this.#lost ??= error));
    client.on("close", () => (this.#lost ??= new Error("the host has closed the connection")));
  }

  /**
   * Connects, makes sure that it is the right host, and logs in.
   *
   * @throws ConnectorError never-began: nothing was asked of the host.
   */
  static async open(provider: SshProvider, access: ProviderAccess, deps: SshDeps): Promise<SshSession> {
    if (access.signal.aborted)
      throw new ConnectorError(`${provider.host} was not asked: the attempt was stopped.`, { kind: "timeout", outcome: "never-began" });
    // Loaded when the first call needs it: a process that calls no host does not pay for it.
    const { default: ssh2 } = await import("ssh2");
    checkPrivateKey(provider, (key, passphrase) => ssh2.utils.parseKey(key, passphrase));
    const { network, limits } = deps;
    const client = new ssh2.Client();
    let shownKey: Buffer | undefined;
    try {
      const socket = await connectTcp(provider, { network, signal: access.signal, connectMs: limits.connectMs });
      const session = new SshSession(provider, client, { access, limits });
      await loggedIn(client, access.signal, {
        ...accountOf(provider, client),
        sock: socket,
        hostVerifier: (key: Buffer): boolean => {
          const isKnown = provider.hostKeys.some(({ fingerprint }) => fingerprint === fingerprintOf(key));
          if (!isKnown) shownKey = key;
          return isKnown;
        },
        readyTimeout: limits.loginMs,
        keepaliveInterval: KEEPALIVE.intervalMs,
        keepaliveCountMax: KEEPALIVE.countMax,
      });
      return session;
    } catch (error) {
      client.on("error", () => {});
      client.destroy();
      throw connectFailure(error, { provider, access, shownKey });
    }
  }

  /** Whether the connection is gone. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /**
   * Runs a program on the host to its end.
   *
   * @throws ConnectorError: whether it began, and may be tried again. FloodError when it says too much.
   */
  async run(program: RemoteProgram): Promise<RemoteEnd> {
    const mark = `tutti:${randomBytes(12).toString("hex")} `;
    // The shell reads its program from the input, exactly so many bytes of it; what follows is the program's own. In braces, so that a program that
    // was cut off on its way is an error of syntax, and nothing of it is carried out. A dd that does not know fullblock reads nothing before it says so.
    const text = Buffer.from(`{\n${program.text(mark)}\n}\n`, "utf8");
    const command = `exec /bin/sh -c 'eval "$(dd bs=${text.length} count=1 iflag=fullblock 2>/dev/null || dd bs=1 count=${text.length} 2>/dev/null)"'`;
    const within = program.despiteAbortMs ?? (program.onAlive !== undefined ? undefined : this.#limits.programMs);
    const signals = [
      ...(program.despiteAbortMs === undefined ? [this.#access.signal] : []),
      ...(within === undefined ? [] : [AbortSignal.timeout(within)]),
    ];
    const signal = AbortSignal.any(signals);
    if (signal.aborted) throw this.#failure(signal);
    let channel: ClientChannel | undefined;
    try {
      channel = await this.#execute(command, signal);
      const end = await this.#follow(channel, { program, mark, text, signal });
      return this.#judged(end);
    } catch (error) {
      channel?.close();
      if (error instanceof ConnectorError || error instanceof FloodError) throw error;
      throw this.#failure(signal, error);
    }
  }

  close(): void {
    this.#client.end();
    this.#client.destroy();
  }

  /** What was asked for will never be done so. */
  refusal(message: string, detail?: string): ConnectorError {
    return new ConnectorError(message, { kind: "validation", outcome: "answered", ...(detail === undefined ? {} : { detail }) });
  }

  /** What answers is not what our program says. */
  strange(): ConnectorError {
    return new ConnectorError(
      `${this.provider.host} does not answer as a host with a POSIX shell does: correct provider ${this.provider.name}, or the account's shell.`,
      { kind: "communication", outcome: "unknown" },
    );
  }

  excerpt(text: string): string {
    return excerptOf(text, this.#access);
  }

  #execute(command: string, signal: AbortSignal): Promise<ClientChannel> {
    return this.#unlessLost(signal, (resolve, reject) => {
      this.#hasBegun = true;
      this.#client.exec(command, (error, channel) => (error === undefined ? resolve(channel) : reject(error)));
    });
  }

  async #follow(
    channel: ClientChannel,
    how: { readonly program: RemoteProgram; readonly mark: string; readonly text: Buffer; readonly signal: AbortSignal },
  ): Promise<RemoteEnd & { readonly noise: string; readonly hasMark: boolean }> {
    const { program, mark, text, signal } = how;
    const output = { stdout: [] as Buffer[], stderr: [] as Buffer[], bytes: 0 };
    const after = { stdout: new AfterMark(mark), stderr: new AfterMark(mark) };
    let exit: { readonly code: number | undefined; readonly signal: string | undefined } | undefined;
    const alive = program.onAlive === undefined ? undefined : setInterval(this.#askAlive, ALIVE_CHECK_MS, program.onAlive);
    try {
      await this.#unlessLost<void>(signal, (resolve, reject) => {
        const take = (stream: "stdout" | "stderr", chunk: Buffer): void => {
          const wasStarted = after[stream].word !== undefined;
          const rest = after[stream].take(chunk);
          if (rest === undefined) return reject(new FloodError("what answers says too much"));
          if (!wasStarted && stream === "stdout" && after.stdout.word !== undefined) program.onStarted?.(after.stdout.word);
          if (rest.length === 0) return;
          output.bytes += rest.length;
          if (program.onOutput !== undefined) {
            if (!program.onOutput(stream, rest)) reject(new FloodError("it says too much"));
          } else if (output.bytes > ANSWER_BYTES_MAX) reject(new FloodError("it says too much"));
          else output[stream].push(rest);
        };
        channel.on("data", (chunk: Buffer) => take("stdout", chunk));
        channel.stderr.on("data", (chunk: Buffer) => take("stderr", chunk));
        channel.on("exit", (code: number | null, name?: string) => (exit = { code: code ?? undefined, signal: name?.replace(/^SIG/, "") }));
        channel.on("error", reject);
        channel.on("close", () => resolve());
        channel.end(program.input === undefined ? text : Buffer.concat([text, program.input]));
      });
    } finally {
      clearInterval(alive);
    }
    // A host that goes down, or an sshd that is killed, closes channels without a word of how the program ended.
    if (exit === undefined) throw new Error("the host ended it without saying how");
    return {
      ...exit,
      word: after.stdout.word ?? "",
      hasMark: after.stdout.word !== undefined,
      noise: `${after.stdout.noise}\n${after.stderr.noise}`,
      stdout: Buffer.concat(output.stdout),
      stderr: Buffer.concat(output.stderr),
    };
  }

  /** @throws ConnectorError when it was not our program that ended: it says its mark before it does anything. */
  #judged(end: RemoteEnd & { readonly noise: string; readonly hasMark: boolean }): RemoteEnd {
    if (end.hasMark) return end;
    const said = this.excerpt(end.noise);
    const { host, user, name } = this.provider;
    const isBusy = BUSY.test(end.noise);
    if (end.code === 0) throw this.strange();
    throw new ConnectorError(
      `${host} does not run programs for ${user} (it ended with ${end.signal ?? `code ${end.code ?? "?"}`}${said === "" ? "" : `: ${said}`}): ${isBusy ? "it can't now" : `give the account of provider ${name} a POSIX shell, and look at ForceCommand of its sshd`}.`,
      { kind: "communication", outcome: "answered", retryable: isBusy },
    );
  }

  /** Waits for one thing, and no longer than the connection and the attempt last. */
  async #unlessLost<T>(signal: AbortSignal, start: (resolve: (value: T) => void, reject: (error: Error) => void) => void): Promise<T> {
    let onAbort = (): void => {};
    let onLost = (): void => {};
    try {
      return await new Promise<T>((resolve, reject) => {
        onAbort = () => reject(new Error("stopped"));
        onLost = () => reject(this.#lost ?? new Error("the connection is gone"));
        if (this.#lost !== undefined) return onLost();
        signal.addEventListener("abort", onAbort, { once: true });
        this.#client.once("close", onLost);
        start(resolve, reject);
      });
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#client.off("close", onLost);
    }
  }

  #failure(signal: AbortSignal, error?: unknown): ConnectorError {
    const { host } = this.provider;
    const outcome = this.#hasBegun ? "unknown" : "never-began";
    if (this.#access.signal.aborted)
      return new ConnectorError(`The call to ${host} was given up: the attempt was stopped.`, { kind: "timeout", outcome, cause: error });
    if (signal.aborted)
      return new ConnectorError(`${host} did not answer in time.`, { kind: "communication", outcome, retryable: true, cause: error });
    const why = excerptOf(error instanceof Error ? error.message : String(error), this.#access);
    return new ConnectorError(`The connection to ${host} was lost: ${why}.`, {
      kind: "communication",
      outcome,
      retryable: true,
      cause: error,
    });
  }

  /** Silence of the host is no sign of life: then the supervisor may end the attempt. */
  readonly #askAlive = (onAlive: () => void): void => {
    this.#client.exec("exit 0", (error, channel) => {
      if (error !== undefined) return;
      channel.on("close", onAlive);
      channel.resume();
      channel.end();
    });
  };
}

type ParseKey = (key: string, passphrase: string | undefined) => unknown;

/** @throws ConnectorError `authentication`, never-began: before anybody is asked. */
function checkPrivateKey({ name, credentials }: SshProvider, parse: ParseKey): void {
  if (credentials.privateKey === undefined) return;
  const parsed = parse(credentials.privateKey, credentials.passphrase);
  if (!(parsed instanceof Error)) return;
  // Its words may tell of the key.
  const needs = /no passphrase|encrypted/i.test(parsed.message) && credentials.passphrase === undefined;
  throw misconfigured(
    `The private key of provider ${name} can't be read${needs ? ": it has a passphrase, so give it as a credential" : ": is it whole, in the form of OpenSSH or PEM, and is its passphrase right?"}`,
  );
}

function accountOf(provider: SshProvider, client: Client): ConnectConfig {
  const { user, credentials, hostKeys } = provider;
  const { privateKey, passphrase, password } = credentials;
  const proofs = proofsFor(hostKeys);
  if (password !== undefined)
    // Hosts that ask for the password in a dialogue (PAM) get it there.
    client.on("keyboard-interactive", (_name, _instructions, _language, prompts, finish) => finish(prompts.map(() => password)));
  return {
    username: user,
    ...(privateKey === undefined ? {} : { privateKey }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(password === undefined ? {} : { password, tryKeyboard: true }),
    // Algorithm names are those of the known keys.
    ...(proofs === undefined ? {} : { algorithms: { serverHostKey: [...proofs] as never } }),
  };
}

async function loggedIn(client: Client, signal: AbortSignal, config: ConnectConfig): Promise<void> {
  let onAbort = (): void => {};
  try {
    await new Promise<void>((resolve, reject) => {
      onAbort = () => reject(new Error("the attempt was stopped"));
      signal.addEventListener("abort", onAbort, { once: true });
      client.once("ready", resolve);
      client.once("error", reject);
      client.once("close", () => reject(new Error("the host closed the connection")));
      client.connect(config);
    });
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
