import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A process of the test that tells what it promises, line by line. */
export class TellingProcess {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  readonly ended: Promise<unknown>;
  #isOver = false;
  readonly #heard = new EventTarget();

  constructor(file: string, args: readonly string[], stderr: number) {
    this.child = spawn(process.execPath, [...process.execArgv, file, ...args], { stdio: ["ignore", "pipe", stderr] });
    if (this.child.stdout === null) throw new Error("Invariant broken: standard output is a pipe");
    this.ended = once(this.child, "close");
    void this.ended.then(() => {
      this.#isOver = true;
      this.#heard.dispatchEvent(new Event("line"));
    });
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      this.lines.push(line);
      this.#heard.dispatchEvent(new Event("line"));
    });
  }

  /** The first line that begins with `word`; undefined when the process is gone without one. */
  async line(word: string): Promise<string | undefined> {
    for (;;) {
      const found = this.lines.find((line) => line.split(" ")[0] === word);
      if (found !== undefined || this.#isOver) return found;
      await new Promise((resolve) => this.#heard.addEventListener("line", resolve, { once: true }));
    }
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.ended;
  }
}
