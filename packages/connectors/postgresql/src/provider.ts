import { X509Certificate } from "node:crypto";
import { ConnectorError, type Network, type ProviderAccess, readProvider, z } from "@tutti/connector-kit";
import { Name } from "./names.ts";

const PORT_MAX = 65_535;
const PORT_DEFAULT = 5432;
const DATABASES_MAX = 1000;
const PEM_CHARACTERS_MAX = 200_000;
/** A path has room for 107 bytes in a socket's address, and PostgreSQL adds the name of the socket. */
const DIRECTORY_CHARACTERS_MAX = 88;

const Certificates = z.string().max(PEM_CHARACTERS_MAX).refine(isCertificates, "is one or more certificates (PEM)");

export const CONFIGURATION = z.strictObject({
  host: z
    .string()
    .regex(/^[A-Za-z0-9.:_-]{1,253}$/, "is a name or an address")
    .optional()
    .meta({ description: "Where the server listens; or socketDirectory" }),
  socketDirectory: z
    .string()
    .max(DIRECTORY_CHARACTERS_MAX)
    .regex(/^\/[^\0]*$/, "is an absolute path")
    .optional()
    .meta({ description: "Instead of host: the directory of the server's unix socket, /run/postgresql" }),
  port: z.int().min(1).max(PORT_MAX).default(PORT_DEFAULT),
  database: Name.default("postgres").meta({ description: "Where calls work that name no database" }),
  databases: z.array(Name).max(DATABASES_MAX).optional().meta({
    description: "Databases whose schemas, extensions and rights are listed as resources; without it all that the role may work in",
  }),
  tls: z
    .enum(["verify", "none"])
    .default("verify")
    .meta({ description: "verify: TLS, and the certificate is checked; none: this machine only, and always with socketDirectory" }),
  authorities: Certificates.optional().meta({
    description: "Certificates (PEM) of authorities that are trusted for this server besides the others",
  }),
  clientCertificate: Certificates.optional().meta({ description: "Certificate (PEM) that the server asks of clients" }),
});
export const CREDENTIALS = z.strictObject({
  user: Name.meta({ description: "The role that logs in" }),
  password: z.string().min(1).optional().meta({ description: "Its password, when the server asks for one" }),
  clientKey: z.string().min(1).max(PEM_CHARACTERS_MAX).optional().meta({ description: "Key (PEM) of clientCertificate" }),
});

/** A server as an attempt knows it. */
export interface Server {
  readonly name: string;
  /** How people call it: `db.example.org:5432`. */
  readonly label: string;
  readonly at: { readonly path: string } | { readonly host: string; readonly port: number };
  readonly database: string;
  /** Whose contents are listed; undefined: all. */
  readonly databases: readonly string[] | undefined;
  readonly user: string;
  readonly password: string | undefined;
  /** Undefined without TLS. */
  readonly tls:
    | { readonly authorities: string | undefined; readonly certificate: string | undefined; readonly key: string | undefined }
    | undefined;
}

/** @throws ConnectorError `configuration`, never-began. */
export function serverOf(network: Network, access: ProviderAccess): Server {
  const { name, configuration, credentials } = readProvider({ configuration: CONFIGURATION, credentials: CREDENTIALS }, access);
  const { host, socketDirectory, port, database, databases, tls, authorities, clientCertificate } = configuration;
  const { user, password, clientKey } = credentials;
  const misconfigured = (problem: string): ConnectorError =>
    new ConnectorError(`Provider ${name} ${problem}`, { kind: "configuration", outcome: "never-began" });
  if ((host === undefined) === (socketDirectory === undefined)) throw misconfigured("needs one of host and socketDirectory.");
  if ((clientCertificate === undefined) !== (clientKey === undefined))
    throw misconfigured("needs clientCertificate and the credential clientKey together, or neither.");
  const login = { name, database, databases, user, password };
  if (host === undefined) {
    const path = `${(socketDirectory ?? "").replace(/\/+$/, "")}/.s.PGSQL.${port}`;
    return { ...login, label: path, at: { path }, tls: undefined };
  }
  if (tls === "none" && !network.speaksCleartext(host))
    throw misconfigured(`has tls: none, and ${host} is another machine: everybody on the way could read along. Use tls: verify.`);
  return {
    ...login,
    label: `${host}:${port}`,
    at: { host, port },
    tls: tls === "none" ? undefined : { authorities, certificate: clientCertificate, key: clientKey },
  };
}

function isCertificates(text: string): boolean {
  try {
    return new X509Certificate(text).fingerprint256 !== "";
  } catch {
    return false;
  }
}
