import { ConnectorError, type ProviderAccess, readProvider, z } from "@tutti/connector-kit";
import { type KnownKey, readKnownKey } from "./host-key.ts";
import { RemotePath } from "./names.ts";

const PORT_MAX = 65_535;
const SSH_PORT = 22;
/** A host has some three keys, and a new set while it changes them. */
const HOST_KEYS_MAX = 16;
const LISTED_MAX = 50;

export const CONFIGURATION = z.strictObject({
  host: z
    .string()
    .regex(/^[A-Za-z0-9.:_-]{1,253}$/, "is a name or an address")
    .meta({ description: "The host" }),
  port: z.int().min(1).max(PORT_MAX).default(SSH_PORT),
  user: z
    .string()
    .regex(/^[^\s\0:]{1,128}$/, "is the name of an account")
    .meta({ description: "The account on the host" }),
  hostKeys: z
    .array(
      z
        .string()
        .max(4000)
        .refine((text) => readKnownKey(text) !== undefined, "is a fingerprint (SHA256:…), a public key or a line of known_hosts"),
    )
    .max(HOST_KEYS_MAX)
    .default([])
    .meta({
      description:
        "What the host is known by: fingerprints (SHA256:…), public keys, or lines of known_hosts; without any the check tells the fingerprint, and nothing else works",
    }),
  directory: z
    .string()
    .regex(/^[\w./@+-]{1,200}$/, "is a path without spaces")
    .default(".tutti")
    .meta({
      description: "Directory on the host for scripts under way and for what undos put back; below the account's home unless absolute",
    }),
  listed: z
    .array(RemotePath)
    .max(LISTED_MAX)
    .default([])
    .meta({ description: "Directories whose files and directories are listed as resources" }),
});

export const CREDENTIALS = z
  .strictObject({
    privateKey: z.string().min(1).optional().meta({ description: "The account's private key (OpenSSH or PEM); or a password" }),
    passphrase: z.string().min(1).optional().meta({ description: "Of the private key, when it has one" }),
    password: z.string().min(1).optional().meta({ description: "The account's password" }),
  })
  .refine(({ privateKey, password }) => (privateKey === undefined) !== (password === undefined), "is a private key, or a password")
  .refine(({ privateKey, passphrase }) => passphrase === undefined || privateKey !== undefined, "has a passphrase only with a private key");

/** A host as an attempt knows it. */
export interface SshProvider {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly hostKeys: readonly KnownKey[];
  readonly directory: string;
  readonly listed: readonly string[];
  readonly credentials: z.infer<typeof CREDENTIALS>;
}

/** @throws ConnectorError `configuration`, never-began. */
export function sshProvider(access: Pick<ProviderAccess, "provider">): SshProvider {
  const { name, configuration, credentials } = readProvider({ configuration: CONFIGURATION, credentials: CREDENTIALS }, access);
  const hostKeys = configuration.hostKeys.map(readKnownKey).filter((key) => key !== undefined);
  return { ...configuration, name, hostKeys, credentials };
}

/** @throws ConnectorError `configuration`, never-began. */
export function misconfigured(message: string): ConnectorError {
  return new ConnectorError(message, { kind: "configuration", outcome: "never-began" });
}
