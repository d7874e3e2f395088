import { spawnSync } from "node:child_process";

/** What a proof itself writes. */
const OWN_FILES = /^(?:docs\/proof\.json|docs\/proof\.md)$/;
const COMMIT_LENGTH = 12;

/**
 * The commit whose code stands in `root`. What was tried must be something that anybody can get again: changed files are refused, and so is a
 * commit that does not come after `base`.
 */
export function commitOf(root: string, base: string): string {
  const changed = git(root, ["status", "--porcelain", "--untracked-files=no"])
    .split("\n")
    .map((line) => line.slice(3))
    .filter((file) => file !== "" && !OWN_FILES.test(file));
  if (changed.length > 0)
    throw new Error(
      `These files differ from the commit, so nobody could repeat what is counted: ${changed.join(", ")}. Commit them first.`,
    );
  const commit = git(root, ["rev-parse", "HEAD"]).trim();
  const isAfter = spawnSync("git", ["merge-base", "--is-ancestor", base, commit], { cwd: root, stdio: "ignore" }).status === 0;
  if (!isAfter)
    throw new Error(
      `Pieces count from ${base} on (countsFrom in docs/proof.json), and ${commit} does not come after it, or its history is cut.`,
    );
  return commit.slice(0, COMMIT_LENGTH);
}

function git(root: string, words: readonly string[]): string {
  const done = spawnSync("git", words, { cwd: root, encoding: "utf8" });
  if (done.status === 0) return done.stdout;
  throw new Error(`git ${words.join(" ")} failed: ${done.error?.message ?? done.stderr.trim()}`);
}
