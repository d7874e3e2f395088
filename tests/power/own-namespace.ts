import { spawn, spawnSync } from "node:child_process";
import { constants } from "node:os";

/** Says that the process has its mounts for itself. */
const VARIABLE = "TUTTI_OWN_MOUNTS";
const UNSHARE = ["--mount", "--propagation", "private"] as const;

/**
 * Runs this program again where nobody else sees what it mounts. Whoever starts a container or a namespace takes a copy of all mounts along for
 * a moment: an unmounted disk is still there then, and mounted again it comes back as it was when its power was cut, and answers nothing.
 *
 * @returns the exit code of that run; undefined when this is that run, or when the system does not permit one.
 */
export async function runWithOwnMounts(): Promise<number | undefined> {
  if (process.env[VARIABLE] !== undefined || spawnSync("unshare", [...UNSHARE, "true"]).status !== 0) return undefined;
  const [program, ...rest] = process.argv.slice(1);
  const child = spawn("unshare", [...UNSHARE, process.execPath, ...process.execArgv, program ?? "", ...rest], {
    stdio: "inherit",
    env: { ...process.env, [VARIABLE]: "1" },
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]));
  });
}
