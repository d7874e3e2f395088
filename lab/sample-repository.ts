import { cp, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { LAB_STATE, ROOT_DIRECTORY, run } from "./commands.ts";

/** Same author and time each time, so that the same files give the same commit. */
const AUTHOR = {
  GIT_AUTHOR_NAME: "Sample",
  GIT_AUTHOR_EMAIL: "sample@example.test",
  GIT_AUTHOR_DATE: "2026-01-01T00:00:00Z",
  GIT_COMMITTER_NAME: "Sample",
  GIT_COMMITTER_EMAIL: "sample@example.test",
  GIT_COMMITTER_DATE: "2026-01-01T00:00:00Z",
  GIT_CONFIG_GLOBAL: "/dev/null",
} as const;

export interface SampleRepository {
  /** Name under the git daemon. */
  readonly name: string;
  readonly revision: string;
  readonly commit: string;
}

/** A git repository with the sample applications, one folder each, where the lab's git daemon serves it. */
export async function buildSampleRepository(): Promise<SampleRepository> {
  const directory = join(LAB_STATE, "git", "applications.git");
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  await cp(join(ROOT_DIRECTORY, "examples/deploy-server/applications"), directory, { recursive: true });
  const git = (...args: readonly string[]): Promise<string> => run("git", ["-C", directory, ...args], { env: AUTHOR });
  await git("init", "-q", "-b", "main");
  await git("add", ".");
  await git("commit", "-q", "-m", "Sample applications");
  return { name: "applications.git", revision: "main", commit: (await git("rev-parse", "HEAD")).trim() };
}
