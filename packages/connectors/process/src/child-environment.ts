import type { Attempt } from "@tutti/connector-kit";

/** All that a child gets of Tutti's own environment: enough to find programs and speak the language, and no credentials. */
const INHERITED = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"];
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Marks every process of an attempt, so that a later Tutti finds what a killed one left running. */
export const TOKEN_VARIABLE = "TUTTI_TOKEN";
/** Marks a process that starts others for Tutti with the name of its Tutti (`ownName`). */
export const STARTER_VARIABLE = "TUTTI_STARTER_OF";

/** The environment of a child: what is inherited, what the author gives, and what says whose child it is (which nobody overrides). */
export function childEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  given: Readonly<Record<string, string | number | boolean | null>>,
  attempt: Pick<Attempt, "token" | "runId" | "taskPath" | "number">,
): Record<string, string> {
  const environment: Record<string, string> = { PATH: DEFAULT_PATH };
  for (const name of INHERITED) if (own[name] !== undefined) environment[name] = own[name];
  for (const [name, value] of Object.entries(given)) if (value !== null) environment[name] = String(value);
  return {
    ...environment,
    [TOKEN_VARIABLE]: attempt.token,
    TUTTI_RUN: attempt.runId,
    TUTTI_TASK: attempt.taskPath,
    TUTTI_ATTEMPT: String(attempt.number),
  };
}
