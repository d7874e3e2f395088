import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";
import { CheckReporter } from "../../scripts/check/vitest-reporter.ts";
import { HARMLESS } from "./bugs.ts";
import { carriedBug, plantedSource, ROOT } from "./carried.ts";

const bug = carriedBug();

/** Tests with a planted bug in what they load: vitest reads our files itself, so `register.ts` does not see them. */
export default defineConfig({
  root: ROOT,
  plugins: [
    {
      name: "planted-bug",
      enforce: "pre",
      load: (id) => (bug === undefined ? undefined : plantedSource(bug, id, () => readFileSync(id, "utf8"))),
    },
  ],
  test: {
    reporters: ["default", new CheckReporter()],
    include: ["**/*.test.ts"],
    exclude: ["**/node_modules/**"],
    // A test that hangs has noticed a bug; a sound one that is told to be broken would be a false alarm.
    testTimeout: bug === HARMLESS ? 240_000 : 30_000,
    hookTimeout: bug === HARMLESS ? 240_000 : 30_000,
    // What it keeps between runs goes by the text on the disk: it would hand a sound module to a bug, and the bug to a sound run.
    fsModuleCache: false,
    // Two bugs are tried at a time.
    maxWorkers: 1,
    // What fails once has noticed the bug.
    bail: 1,
  },
});
