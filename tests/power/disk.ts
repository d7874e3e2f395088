import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, ftruncateSync, mkdirSync, openSync, closeSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";

const IMAGE_BYTES = 128 * 1024 * 1024;
/** A file system that stays busy after its only user was killed is a leak, and the next cut would test nothing. */
const UNMOUNT_MS = 120_000;
const UNMOUNT_AGAIN_MS = 20;
const HELPER = join(import.meta.dirname, "power_off.py");
/** Debian's own; another one on the path may be a shim that takes a tenth of a second. */
const PYTHON = existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3";

/** `2`: what was not synced is gone. `1`: the journal of the file system is written out first, so that metadata is newer than data. */
export type CutKind = 1 | 2;

/** A disk of its own for one test: an ext4 image behind a loop device, whose power can be cut. */
export class Disk {
  readonly #image: string;
  readonly mountPoint: string;
  #isMounted = false;

  /** @param home a directory on the machine's own disk. */
  constructor(home: string) {
    this.#image = join(home, "image");
    this.mountPoint = join(home, "disk");
  }

  /** A fresh, empty file system, mounted. */
  format(): void {
    const file = openSync(this.#image, "w");
    ftruncateSync(file, IMAGE_BYTES);
    closeSync(file);
    run("mkfs.ext4", ["-q", "-F", "-m", "0", this.#image]);
    mkdirSync(this.mountPoint, { recursive: true });
    this.mount();
  }

  mount(): void {
    run("mount", ["-o", "loop", this.#image, this.mountPoint]);
    this.#isMounted = true;
  }

  /** @throws when it stays busy. */
  async unmount(): Promise<void> {
    const deadline = performance.now() + UNMOUNT_MS;
    while (this.#isMounted) {
      const { status, stderr } = spawnSync("umount", [this.mountPoint], { encoding: "utf8" });
      if (status === 0) this.#isMounted = false;
      else if (performance.now() > deadline) throw new Error(`The disk could not be unmounted: ${stderr}`);
      else await pause(UNMOUNT_AGAIN_MS);
    }
  }

  /** For the end of the process, when nothing can be waited for. */
  unmountNow(): void {
    if (this.#isMounted) spawnSync("umount", ["--lazy", this.mountPoint]);
    this.#isMounted = false;
  }

  /** The disk's switch, ready to be pressed without delay. @throws when the mount is not a device of its own. */
  async switch(): Promise<PowerSwitch> {
    const device = statSync(this.mountPoint).dev;
    if (device === statSync("/").dev) throw new Error("The disk is not mounted: its device is the root's.");
    return PowerSwitch.ready(this.mountPoint, device);
  }
}

/** The helper process that holds the file system open, since Node has no ioctl. */
export class PowerSwitch {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  static async ready(directory: string, device: number): Promise<PowerSwitch> {
    const pressed = new PowerSwitch(spawn(PYTHON, [HELPER, directory, String(device)], { stdio: ["pipe", "pipe", "inherit"] }));
    if ((await pressed.#lines.next()).value !== "ready") throw new Error("The power switch did not start.");
    return pressed;
  }

  /** @returns `off`, or `refused` by the guard. */
  async press(how: CutKind | "check"): Promise<string> {
    this.#child.stdin.end(`${how}\n`);
    const answer = await this.#lines.next();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, "exit");
    return answer.done === true ? "no answer" : answer.value;
  }
}

/** Why disks like this can't be had here, or undefined. Never skipped in silence: the caller prints it. */
export async function whyNoDisks(home: string): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "mounting needs root";
  if (spawnSync("mkfs.ext4", ["-V"]).status !== 0) return "mkfs.ext4 is not installed (package e2fsprogs)";
  if (spawnSync(PYTHON, ["-c", "import fcntl"]).status !== 0) return "python3 is not installed";
  const disk = new Disk(home);
  try {
    disk.format();
    await disk.unmount();
    return undefined;
  } catch (error) {
    return `loop mounts are not permitted here: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Unmounts and removes what killed runs of this test have left behind; `prefix` is followed by the number of a process that is gone. */
export function clearLeftovers(prefix: string): void {
  const homes = readdirSync(dirname(prefix)).map((name) => join(dirname(prefix), name));
  const mountPoints = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "");
  for (const home of homes) {
    if (!home.startsWith(prefix) || existsSync(`/proc/${Number.parseInt(home.slice(prefix.length), 10)}`)) continue;
    const mounted = mountPoints.filter((mountPoint) => mountPoint.startsWith(`${home}/`));
    if (mounted.every((mountPoint) => spawnSync("umount", [mountPoint]).status === 0)) rmSync(home, { recursive: true, force: true });
  }
}

function run(command: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? stderr}`);
}
