import { setTimeout as pause } from "node:timers/promises";
import { type Attempt, ConnectorError, type ConnectorFunction, parseInput, type ProviderAccess, z } from "@tutti/connector-kit";
import { HOST_FACTS, HostFacts, readHostFacts } from "./host-facts.ts";
import { ask } from "./host-program.ts";
import type { SshDeps } from "./ssh-session.ts";
import { withSession } from "./with-session.ts";

const AWAIT_SECONDS_MAX = 86_400;
const AWAIT_SECONDS_DEFAULT = 600;
/** A host that boots is asked again after this time. */
const AGAIN_MS = 2000;

const FactsInput = z.strictObject({});
const AwaitInput = z.strictObject({
  withinSeconds: z.number().min(0).max(AWAIT_SECONDS_MAX).default(AWAIT_SECONDS_DEFAULT),
  otherThanBootId: z
    .string()
    .max(100)
    .optional()
    .meta({ description: "Until it has booted anew: the bootId that `host.facts` told before" }),
});
const AwaitOutput = z.strictObject({ hostname: z.string(), bootId: z.string() });

const LOOK = `
printf 'hostname %s\\n' "$(hostname 2> /dev/null || cat /proc/sys/kernel/hostname)"
printf 'system %s\\n' "$(uname -sr)"
printf 'boot %s\\n' "$(cat /proc/sys/kernel/random/boot_id)"
printf 'done\\n'
`;

export function hostFunctions(deps: SshDeps): Readonly<Record<string, ConnectorFunction>> {
  const times = { requestTimeoutMs: deps.limits.programMs, settleMs: 0 };
  const facts: ConnectorFunction = {
    ...times,
    title: "Read what a host is: system, processors, memory, disks, addresses",
    input: FactsInput,
    output: HostFacts,
    effect: "read",
    run: (given, attempt) =>
      withSession(deps, attempt, async (session) => {
        parseInput(FactsInput, given);
        const read = readHostFacts((await ask(session, HOST_FACTS, { variables: {} })).rest.toString("utf8"));
        if (read === undefined) throw session.strange();
        return read;
      }),
  };
  const wait: ConnectorFunction = {
    ...times,
    title: "Wait until a host answers, and lets the account in",
    input: AwaitInput,
    output: AwaitOutput,
    effect: "read",
    run: (given, attempt) => awaitHost(deps, attempt, parseInput(AwaitInput, given)),
  };
  return { "host.facts:1": facts, "host.await:1": wait };
}

/** Which host answers. @throws ConnectorError. */
export function lookAt(
  deps: SshDeps,
  access: ProviderAccess,
): Promise<{ readonly hostname: string; readonly bootId: string; readonly system: string }> {
  return withSession(deps, access, async (session) => {
    const { values } = await ask(session, LOOK, { variables: {} });
    const [hostname, system] = [values.get("hostname"), values.get("system")];
    if (hostname === undefined || system === undefined) throw session.strange();
    return { hostname, system, bootId: values.get("boot") ?? "" };
  });
}

/** A new host lets the account in only when its first boot is done, so that a refusal is waited for as well. Another host's key never gets better. */
async function awaitHost(deps: SshDeps, attempt: Attempt, input: z.infer<typeof AwaitInput>): Promise<z.infer<typeof AwaitOutput>> {
  const untilMs = performance.now() + input.withinSeconds * 1000;
  let said = "";
  for (;;) {
    let last: ConnectorError;
    try {
      const { hostname, bootId } = await lookAt(deps, attempt);
      if (bootId !== input.otherThanBootId) return { hostname, bootId };
      last = new ConnectorError(`${hostname} has not booted anew within ${input.withinSeconds} s.`, {
        kind: "timeout",
        outcome: "answered",
        retryable: true,
      });
    } catch (error) {
      if (!(error instanceof ConnectorError) || attempt.signal.aborted) throw error;
      if (!error.retryable && error.errorKind !== "authentication") throw error;
      last = error;
    }
    attempt.heartbeat();
    if (last.message !== said) attempt.log("info", attempt.masked(last.message));
    said = last.message;
    if (performance.now() + AGAIN_MS > untilMs) throw last;
    // An abort while nothing is asked: the next look says so.
    await pause(AGAIN_MS, undefined, { signal: attempt.signal }).catch(() => {});
  }
}
