import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { describeNetworkFailure } from "@tutti/connector-http";
import { ConnectorError, type Network } from "@tutti/connector-kit";

/** Who is called. */
export interface Peer {
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
}

/** How much of an answer may be on its way unread: the protocol's 64 KiB make long ways slow. */
const WINDOW_BYTES = 1024 * 1024;

/** `host:port` for messages. */
export function placeOf({ host, port }: Peer): string {
  return `${host}:${port}`;
}

/**
 * Connects to the first address of the host that takes the connection, and waits for the other side's first frame: from then on it speaks HTTP/2,
 * and no request was sent yet.
 *
 * @throws ConnectorError never-began: what the last address said; `authorization` when the rules of the network refuse one of them.
 */
export async function openSession(
  peer: Peer,
  network: Network,
  { connectMs, signal }: { readonly connectMs: number; readonly signal: AbortSignal },
): Promise<ClientHttp2Session> {
  const addresses = await network.addressesOf(peer.host).catch((error: unknown) => {
    throw describeNetworkFailure(error, placeOf(peer));
  });
  let problem: unknown;
  for (const { address } of addresses) {
    const limit = AbortSignal.timeout(connectMs);
    try {
      return await openAt(address, peer, { network, signal: AbortSignal.any([limit, signal]) });
    } catch (error) {
      problem = error;
      if (signal.aborted) break;
    }
  }
  throw signal.aborted ? gaveUp(peer) : neverSent(peer, problem);
}

async function openAt(
  address: string,
  peer: Peer,
  how: { readonly network: Network; readonly signal: AbortSignal },
): Promise<ClientHttp2Session> {
  const socket = connectSocket(address, peer, how.network);
  try {
    await untilEvent(socket, peer.isSecure ? "secureConnect" : "connect", how.signal);
    if ("alpnProtocol" in socket && socket.alpnProtocol !== "h2") throw new Error("it does not offer HTTP/2, which gRPC needs");
    const session = connectHttp2(`${peer.isSecure ? "https" : "http"}://${placeOf(peer)}`, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
    });
    // Errors after the first frame are told by the request that they end.
    session.on("error", () => {});
    await untilEvent(session, "remoteSettings", how.signal);
    session.setLocalWindowSize(WINDOW_BYTES);
    return session;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function connectSocket(address: string, peer: Peer, network: Network): Socket {
  const { certificateAuthorities: ca } = network;
  const to = { host: address, port: peer.port };
  if (!peer.isSecure) return connectTcp(to);
  return connectTls({
    ...to,
    ALPNProtocols: ["h2"],
    // Said here, it also holds where NODE_TLS_REJECT_UNAUTHORIZED=0 stands in the environment.
    rejectUnauthorized: true,
    ...(isIP(peer.host) === 0 ? { servername: peer.host } : {}),
    ...(ca === undefined ? {} : { ca: [...ca] }),
  });
}

/** Waits for an event of a connection; its error, its end and the signal come before. */
function untilEvent(of: Socket | ClientHttp2Session, event: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onEvent = (): void => settle(resolve);
    const onError = (error: Error): void => settle(() => reject(error));
    const onClose = (): void => settle(() => reject(new Error("the other side closed the connection before it said anything")));
    const onAbort = (): void => settle(() => reject(new Error("the other side did not answer in time")));
    const settle = (then: () => void): void => {
      of.off(event, onEvent);
      of.off("error", onError);
      of.off("close", onClose);
      signal.removeEventListener("abort", onAbort);
      then();
    };
    of.on(event, onEvent);
    of.on("error", onError);
    of.on("close", onClose);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

/** Whatever went wrong up to here, the request was not sent. */
function neverSent(peer: Peer, cause: unknown): ConnectorError {
  const described = describeNetworkFailure(cause, placeOf(peer));
  // What the other side says to a greeting that it does not know is not for people; how it was greeted is.
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const isOtherProtocol = /^ERR_SSL_|^ERR_HTTP2_|^ECONNRESET$|^EPROTO$/.test(code) || code === "";
  if (described.outcome === "never-began" && !isOtherProtocol) return described;
  const reason = (cause instanceof Error ? cause.message : String(cause)).replace(/\.$/, "");
  const greeting = peer.isSecure
    ? `It was spoken to with TLS; if it has none, name it under network.cleartext in the data directory's settings.yaml`
    : "It was spoken to without TLS";
  return new ConnectorError(`${placeOf(peer)} can't be reached: ${reason}. ${greeting}.`, {
    kind: "communication",
    outcome: "never-began",
    retryable: described.retryable,
    cause,
  });
}

function gaveUp(peer: Peer): ConnectorError {
  return new ConnectorError(`The call of ${placeOf(peer)} was given up before it was sent.`, { kind: "timeout", outcome: "never-began" });
}
