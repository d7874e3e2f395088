import type { Attempt, ProviderAccess } from "@tutti/connector-kit";
import { sshProvider } from "./ssh-provider.ts";
import { type SshDeps, SshSession } from "./ssh-session.ts";

/** Does the work on a connection of its own, which is closed whatever comes of it. */
export async function withSession<T>(deps: SshDeps, access: ProviderAccess, work: (session: SshSession) => Promise<T>): Promise<T> {
  const session = await SshSession.open(sshProvider(access), access, deps);
  try {
    return await work(session);
  } finally {
    session.close();
  }
}

/** For what is left to do once the attempt's end is stored: its signal may have been aborted meanwhile, and that is over. */
export function afterwards(attempt: Attempt): ProviderAccess {
  return {
    provider: attempt.provider,
    signal: new AbortController().signal,
    mask: (value) => attempt.mask(value),
    masked: (text) => attempt.masked(text),
  };
}
