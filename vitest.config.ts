import { defineConfig } from "vitest/config";
import { CheckReporter } from "./scripts/check/vitest-reporter.ts";

/** Files that touch disks, sockets or processes; everything else is a unit test and finishes in milliseconds. */
const INTEGRATION = ["**/*.integration.test.ts"];
/** Every fault at every place, crash at every step: minutes each, so they are layers of their own in the check. */
const EXHAUSTIVE = [
  "tests/deploy-server/**/*.integration.test.ts",
  "tests/restart/**/*.integration.test.ts",
  "tests/container/**/*.integration.test.ts",
  "tests/canary/**/*.integration.test.ts",
  "tests/bad-input/**/*.integration.test.ts",
  // Request Tracker needs a quarter of a second for each of some thousand requests: not part of the check, `npm run test:connectors -- request-tracker`.
  "packages/connectors/request-tracker/src/conformance.integration.test.ts",
  // libvirt takes seconds to start and end a machine, Icinga a moment for each object, restic one for each command: the same.
  "packages/connectors/libvirt/src/conformance.integration.test.ts",
  "packages/connectors/icinga/src/conformance.integration.test.ts",
  "packages/connectors/restic/src/conformance.integration.test.ts",
  // A call to a host is a login and a shell with its tools, and the suite makes a thousand: the same, `npm run test:connectors -- ssh`.
  "packages/connectors/ssh/src/conformance.integration.test.ts",
];
const E2E = ["**/*.e2e.test.ts"];
const EXCLUDE = ["**/node_modules/**"];
// Time limits only stop what hangs: many times what the slowest test takes on a quiet machine, since CI runs several things on two cores.

export default defineConfig({
  test: {
    reporters: ["default", new CheckReporter()],
    // Files share a process and its modules, which saves more than half of the CPU: our modules keep no state, and no test replaces one.
    isolate: false,
    projects: [
      {
        test: { name: "unit", include: ["**/*.test.ts"], exclude: [...EXCLUDE, ...INTEGRATION, ...E2E], testTimeout: 120_000 },
      },
      {
        test: {
          name: "integration",
          include: INTEGRATION,
          exclude: [...EXCLUDE, ...EXHAUSTIVE],
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
      { test: { name: "exhaustive", include: EXHAUSTIVE, exclude: EXCLUDE, testTimeout: 480_000, hookTimeout: 240_000 } },
      { test: { name: "e2e", include: E2E, exclude: EXCLUDE, testTimeout: 240_000, hookTimeout: 240_000, fileParallelism: false } },
    ],
  },
});
