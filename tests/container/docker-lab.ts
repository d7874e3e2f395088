import { execFile } from "node:child_process";
import { request } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";

const LAB = join(import.meta.dirname, "../../lab/docker.sh");
/** Installing the engine takes 20 s on a bare machine with a good line. */
const START_LIMIT_MS = 280_000;
/** What `lab/docker.sh` imports from Debian's busybox. */
export const IMAGE = "lab/busybox:1";

const lab = (word: string) => promisify(execFile)("bash", [LAB, word], { timeout: START_LIMIT_MS });

/** A real Docker engine in a network of its own. One that was up before is left up. */
export class DockerLab {
  readonly engine: string;
  readonly #wasUp: boolean;

  private constructor(engine: string, wasUp: boolean) {
    this.engine = engine;
    this.#wasUp = wasUp;
  }

  static async start(): Promise<DockerLab> {
    const wasUp = await lab("status").then(
      () => true,
      () => false,
    );
    const { stdout } = await lab("start");
    const engine = /^DOCKER_HOST=(.+)$/m.exec(stdout)?.[1];
    if (engine === undefined) throw new Error(`lab/docker.sh says no DOCKER_HOST: ${stdout}`);
    return new DockerLab(engine, wasUp);
  }

  async stop(): Promise<void> {
    if (!this.#wasUp) await lab("stop");
  }

  /** Asks the engine past the code under test. */
  async ask(method: string, path: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath: this.engine.replace("unix://", ""), method, path, timeout: 30_000 }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          resolve(text === "" ? null : JSON.parse(text));
        });
      });
      sent.on("error", reject).end();
    });
  }

  /** Names and states of all containers with this label, whatever became of them. */
  async containers(label: string): Promise<readonly { readonly id: string; readonly name: string; readonly state: string }[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
    // The engine's list has this form.
    const found = (await this.ask("GET", `/containers/json?all=1&filters=${filters}`)) as { Id: string; Names: string[]; State: string }[];
    return found.map(({ Id, Names, State }) => ({ id: Id, name: (Names[0] ?? "").slice(1), state: State }));
  }

  async removeAll(label: string): Promise<void> {
    for (const { id } of await this.containers(label)) await this.ask("DELETE", `/containers/${id}?force=1&v=1`);
  }
}
