import { expect, test } from "vitest";
import { createCommitPolicy } from "./commit-policy.ts";

const SMALL = 1000;

function afterCommits(durationMs: number, count: number, policy = createCommitPolicy()) {
  for (let commit = 0; commit < count; commit++) policy.record(SMALL, durationMs);
  return policy;
}

test("a fast disk commits small batches on the main thread, large ones in the worker", () => {
  const policy = afterCommits(0.2, 40);
  expect(policy.choose(SMALL)).toBe("main");
  expect(policy.choose(1_000_000)).toBe("worker-when-ready");
});

test("the first commits, before anything is known, stay on the main thread", () => {
  expect(createCommitPolicy().choose(SMALL)).toBe("main");
});

test("a slow disk moves the commits to the worker, and back when it has recovered", () => {
  const policy = afterCommits(4, 40);
  expect(policy.choose(SMALL)).toBe("worker-when-ready");
  afterCommits(0.2, 40, policy);
  expect(policy.choose(SMALL)).toBe("main");
});

test("a few slow commits among fast ones change nothing; large batches do not count", () => {
  const policy = afterCommits(0.2, 40);
  afterCommits(50, 8, policy);
  for (let commit = 0; commit < 40; commit++) policy.record(1_000_000, 50);
  expect(policy.choose(SMALL)).toBe("main");
});
