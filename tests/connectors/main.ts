// Runs the conformance suite of connectors on their real systems: `npm run test:connectors` all of them, `-- NAME …` those named.
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const FOLDER = "packages/connectors";
const SUITE = "src/conformance.integration.test.ts";

const proven = readdirSync(join(ROOT, FOLDER)).filter((name) => existsSync(join(ROOT, FOLDER, name, SUITE)));
const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !proven.includes(name));
if (unknown !== undefined) {
  process.stderr.write(`No connector "${unknown}" has the suite; there are: ${proven.join(", ")}.\n`);
  process.exitCode = 2;
} else {
  const suites = (wanted.length === 0 ? proven : wanted).map((name) => join(FOLDER, name, SUITE));
  const child = spawn(
    process.execPath,
    ["scripts/run.mjs", "vitest", "run", "--project", "integration", "--project", "exhaustive", ...suites],
    {
      cwd: ROOT,
      stdio: "inherit",
    },
  );
  child.on("close", (code) => {
    process.exitCode = code ?? 1;
  });
}
