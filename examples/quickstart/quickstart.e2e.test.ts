import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { programFile } from "../../scripts/programs.mjs";
import { createSandbox, freePort, type Sandbox } from "./sandbox.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const TUTTI = [
  "--disallow-code-generation-from-strings",
  "--disable-proto=delete",
  "--disable-warning=ExperimentalWarning",
  programFile("apps/cli/src/main.ts"),
];
/** A deployment has some twenty positions; more kills than this mean that one of them is reached again and again. */
const KILLS_MAX = 60;
const E2E_MS = 600_000;

let sandbox: Sandbox;
afterEach(() => sandbox.remove());

test(
  "a deployment killed at every position of its journal ends with one service that answers with the deployed version",
  { timeout: E2E_MS },
  async () => {
    sandbox = createSandbox();
    const commit = sandbox.makeRepository();
    const port = await freePort();
    writeFileSync(sandbox.portFile, `${port}\n`);
    const input = join(sandbox.directory, "input.json");
    const given = { repository: sandbox.repository, directory: sandbox.directory, greeting: "hello", node: process.execPath };
    writeFileSync(input, JSON.stringify(given));

    let ended = tutti(["run", "start", "examples/quickstart/workflow.yaml", "--input", input, "--wait"]);
    let kills = 0;
    while (ended.signal === "SIGKILL" && kills < KILLS_MAX) {
      kills += 1;
      ended = tutti(["run", "resume", "@latest", "--wait"]);
    }

    // The last position is the end of the run itself: resuming it then is refused, so the run is asked how it stands.
    const shown = tutti(["run", "show", "@latest"]);
    expect(shown.stdout).toContain("examples/quickstart:1.0.0  completed");
    expect(kills).toBeGreaterThan(10);
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).json()).toEqual({ greeting: "hello", commit });
    // A second service ends by itself when it finds the port taken, which on a full machine may be later than the run's end.
    while (servicesOf(sandbox.directory).length > 1) await pause(50);
    expect(servicesOf(sandbox.directory)).toHaveLength(1);
  },
);

function tutti(words: readonly string[]) {
  return spawnSync(process.execPath, [...TUTTI, ...words], {
    cwd: root,
    encoding: "utf8",
    env: {
      ...process.env,
      TUTTI_DATA: join(sandbox.directory, "data"),
      TUTTI_CRASH_ONCE: join(sandbox.directory, "positions"),
    },
  });
}

/** Processes that run the application from this directory. */
function servicesOf(directory: string): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        return words.includes(join(directory, "application/service.mjs"));
      } catch {
        // The process ended between the two looks.
        return false;
      }
    });
}
