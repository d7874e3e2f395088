import { readdirSync, readFileSync } from "node:fs";
import type { Leak, Scanner } from "./scanner.ts";

/** How often is looked; a process that lives shorter may be missed once, but not each time. */
const LOOK_MS = 10;

/** Looks again and again at what is there only for a moment: the command lines of all processes, and the files of the temporary directory. */
export class Watcher {
  readonly leaks: Leak[] = [];
  /** Looks that were taken, and command lines that were seen. */
  looks = 0;
  readonly commands = new Set<string>();
  /** Files that were seen in the temporary directory. */
  readonly #scanner: Scanner;
  readonly #directory: string;
  readonly #timer: NodeJS.Timeout;

  constructor(scanner: Scanner, directory: string) {
    this.#scanner = scanner;
    this.#directory = directory;
    this.#timer = setInterval(() => this.look(), LOOK_MS);
  }

  look(): void {
    this.looks += 1;
    for (const pid of readdirSync("/proc")) {
      if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
      const command = commandOf(pid);
      if (command === "" || this.commands.has(command)) continue;
      this.commands.add(command);
      this.leaks.push(...this.#scanner.scan(`the arguments of process ${pid}`, command));
    }
    this.leaks.push(...this.#scanner.scanDirectory(this.#directory).leaks);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}
