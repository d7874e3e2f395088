import { describeNetworkFailure } from "@tutti/connector-http";
import { ConnectorError, type ProviderAccess } from "@tutti/connector-kit";
import { fingerprintOf, typeOf } from "./host-key.ts";
import type { SshProvider } from "./ssh-provider.ts";

/** What of a host's words is told on. */
const EXCERPT_CHARACTERS_MAX = 600;

/** Masked before it is cut: half a secret is not recognised any more. The end of it: that is where the reason stands. */
export function excerptOf(text: string, access: Pick<ProviderAccess, "masked">): string {
  const said = access.masked(text).trim();
  return said.length <= EXCERPT_CHARACTERS_MAX ? said : `…${said.slice(-EXCERPT_CHARACTERS_MAX)}`;
}

/** What kept a connection from being made; nothing was asked of the host. */
export function connectFailure(
  error: unknown,
  how: { readonly provider: SshProvider; readonly access: ProviderAccess; readonly shownKey: Buffer | undefined },
): ConnectorError {
  const { provider, access, shownKey } = how;
  const { host, port, name } = provider;
  if (error instanceof ConnectorError) return error;
  if (access.signal.aborted)
    return new ConnectorError(`The call to ${host} was given up: the attempt was stopped.`, {
      kind: "timeout",
      outcome: "never-began",
      cause: error,
    });
  const why = excerptOf(error instanceof Error ? error.message : String(error), access);
  const level = error instanceof Error && "level" in error ? String(error.level) : "";
  if (shownKey !== undefined) return strangeKey(shownKey, provider);
  if (level === "client-authentication")
    return new ConnectorError(
      `${host} does not let ${provider.user} of provider ${name} in: correct the user, or the secret that is its key or password; on the host look at authorized_keys and at the log of sshd.`,
      { kind: "authentication", outcome: "never-began", cause: error },
    );
  // An sshd with too many connections at once (MaxStartups) closes the next one without a word.
  const isClosed = why.includes("lost before handshake");
  if (!isClosed && (level === "protocol" || level === "handshake"))
    return new ConnectorError(
      `What answers at ${host}:${port} does not speak SSH as Tutti does (${why}): correct host and port of provider ${name}, or let its sshd offer current algorithms.`,
      { kind: "communication", outcome: "never-began", cause: error },
    );
  const lost = describeNetworkFailure(error, `${host}:${port}`);
  return new ConnectorError(
    lost.outcome === "never-began"
      ? lost.message
      : `${host}:${port} ended the connection before anybody was logged in (${why}): is it an sshd that listens there, and has it too much to do?`,
    {
      kind: "communication",
      outcome: "never-began",
      retryable: lost.outcome === "never-began" ? lost.retryable : true,
      cause: error,
    },
  );
}

function strangeKey(shown: Buffer, { name, host, hostKeys }: SshProvider): ConnectorError {
  const shownAs = `${typeOf(shown)} ${fingerprintOf(shown)}`;
  const message =
    hostKeys.length === 0
      ? `Provider ${name} does not say what ${host} is known by. It shows the host key ${shownAs}: compare it with \`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\` on the host, and put it into hostKeys.`
      : `${host} shows the host key ${shownAs}, which provider ${name} does not know (it knows ${hostKeys.map(({ fingerprint }) => fingerprint).join(", ")}): another host answers at this address, or it was installed anew. Nothing was sent to it. When it is right, put its key into hostKeys.`;
  return new ConnectorError(message, { kind: "authorization", outcome: "never-began" });
}
