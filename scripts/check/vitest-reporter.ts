import type { Reporter, TestCase, TestModule } from "vitest/node";
import { writeReport } from "./report.ts";

/** Writes what vitest ran in the form the check adds up: failures of files and stray errors count, skips keep their reason. */
export class CheckReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly { readonly message: string }[]): void {
    let passed = 0;
    const failures: { name: string; message: string }[] = [];
    const skips: { name: string; reason: string }[] = [];
    for (const module of modules) {
      for (const error of module.errors()) failures.push({ name: module.relativeModuleId, message: error.message });
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === "passed") passed += 1;
        else if (result.state === "failed") failures.push({ name: nameOf(test), message: result.errors.map(describe).join("\n") });
        else skips.push({ name: nameOf(test), reason: result.state === "skipped" ? (result.note ?? "no reason given") : "did not run" });
      }
      for (const suite of module.children.allSuites()) {
        for (const error of suite.errors())
          failures.push({ name: `${module.relativeModuleId} > ${suite.fullName}`, message: error.message });
      }
    }
    for (const error of unhandledErrors) failures.push({ name: "unhandled error", message: error.message });
    writeReport({ passed, failures, skips });
  }
}

function describe(error: {
  readonly message: string;
  readonly diff?: string;
  readonly stacks?: readonly { readonly file: string; readonly line: number }[];
}): string {
  const place = error.stacks?.[0];
  return [
    error.message,
    ...(error.diff === undefined ? [] : [error.diff]),
    ...(place === undefined ? [] : [`at ${place.file}:${place.line}`]),
  ].join("\n");
}

function nameOf(test: TestCase): string {
  return `${test.module.relativeModuleId} > ${test.fullName}`;
}
