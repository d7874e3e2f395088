import { execFileSync, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** A folder of its own for everything the quickstart makes. */
export interface Sandbox {
  readonly directory: string;
  readonly repository: string;
  /** Where the operator writes the port that the service may use. */
  readonly portFile: string;
  readonly serviceLog: string;
  /** Puts the application into a new git repository. @returns the commit. */
  makeRepository(): string;
  servicePid(): number | undefined;
  /** Ends the service if it runs, and removes the folder. May be called twice. */
  remove(): void;
}

const APPLICATION = join(dirname(fileURLToPath(import.meta.url)), "application/service.mjs");

export function createSandbox(): Sandbox {
  const directory = mkdtempSync(join(tmpdir(), "tutti-quickstart-"));
  const repository = join(directory, "repository");
  const servicePid = (): number | undefined => readPid(join(directory, "service.pid"));
  return {
    directory,
    repository,
    portFile: join(directory, "port"),
    serviceLog: join(directory, "service.log"),
    makeRepository: () => makeRepository(repository),
    servicePid,
    remove: () => {
      const pid = servicePid();
      if (pid !== undefined) process.kill(pid, "SIGTERM");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export function hasGit(): boolean {
  return spawnSync("git", ["--version"], { stdio: "ignore" }).status === 0;
}

function makeRepository(repository: string): string {
  mkdirSync(repository);
  copyFileSync(APPLICATION, join(repository, "service.mjs"));
  // Neither the user's name nor their git settings (signing, hooks, templates) belong into this commit.
  const environment = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" };
  const git = (...words: readonly string[]): string =>
    execFileSync("git", ["-C", repository, ...words], { encoding: "utf8", env: environment, stdio: ["ignore", "pipe", "inherit"] });
  git("init", "--quiet", "--initial-branch=main");
  git("add", ".");
  git("-c", "user.name=Quickstart", "-c", "user.email=quickstart@localhost", "commit", "--quiet", "--message", "A service that greets");
  return git("rev-parse", "HEAD").trim();
}

/** The service's process, when it is that one: a number alone may have been given to another since. */
function readPid(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  const pid = Number(readFileSync(file, "utf8"));
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("service.mjs") ? pid : undefined;
  } catch {
    // The process is gone, or this is no Linux, where the file names the process that was just started.
    return process.platform === "linux" ? undefined : pid;
  }
}

/**
 * A port of the loopback interface that is free. It lies below those that the system gives to whoever asks for any port (Linux: from 32768): between
 * now and the moment at which the service takes it nobody is given it.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORT_TRIES_MAX; tries += 1) {
    const port = randomInt(PORT_FIRST, PORT_LAST + 1);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${PORT_FIRST} to ${PORT_LAST} is free`);
}

const PORT_FIRST = 20_000;
const PORT_LAST = 32_000;
/** Where so many of twelve thousand are taken none will be found. */
const PORT_TRIES_MAX = 1000;

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
