/** A place to listen, as `127.0.0.1:9464`, `[::1]:9464` or `:9464` for loopback; port 0 takes any that is free. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** @returns undefined when the text is no address. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) return undefined;
  return { host: match[1] ?? (match[2] === "" ? "127.0.0.1" : (match[2] as string)), port };
}
