import { X509Certificate } from "node:crypto";
import { type Network, type ProviderAccess, ConnectorError, readProvider, z } from "@tutti/connector-kit";
import { Address } from "./mail-input.ts";

const PORT_MAX = 65_535;
const PORTS = { starttls: 587, tls: 465, none: 25 } as const;
const AUTHORITIES_CHARACTERS_MAX = 200_000;

export const CONFIGURATION = z.strictObject({
  host: z
    .string()
    .regex(/^[A-Za-z0-9.:_-]{1,253}$/, "is a name or an address")
    .meta({ description: "The mail server that takes mails from here" }),
  port: z.number().int().min(1).max(PORT_MAX).optional().meta({ description: "Without it 587 with starttls, 465 with tls, 25 with none" }),
  tls: z.enum(["starttls", "tls", "none"]).default("starttls").meta({
    description: "starttls: the connection must become secret before anything else; tls: it is from the start; none: this machine only",
  }),
  from: Address.meta({ description: "Who sends, unless a mail says otherwise" }),
  name: z
    .string()
    .regex(/^[A-Za-z0-9.[\]:-]{1,253}$/, "is a host name")
    .optional()
    .meta({ description: "How Tutti names itself to the server (EHLO); without it [127.0.0.1]" }),
  authorities: z
    .string()
    .max(AUTHORITIES_CHARACTERS_MAX)
    .refine(isCertificates, "is one or more certificates (PEM)")
    .optional()
    .meta({ description: "Certificates (PEM) of authorities that are trusted for this server besides the others" }),
});
export const CREDENTIALS = z
  .strictObject({
    user: z.string().min(1).optional().meta({ description: "The account, when the server asks for one" }),
    password: z.string().min(1).optional(),
  })
  .refine(({ user, password }) => (user === undefined) === (password === undefined), "has user and password, or neither");

/** A mail server as an attempt knows it. */
export interface MailProvider {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly tls: "starttls" | "tls" | "none";
  readonly from: string;
  readonly clientName: string | undefined;
  readonly authorities: readonly string[] | undefined;
  readonly login: { readonly user: string; readonly password: string } | undefined;
}

/** @throws ConnectorError `configuration`, never-began. */
export function mailProvider(network: Network, access: ProviderAccess): MailProvider {
  const { name, configuration, credentials } = readProvider({ configuration: CONFIGURATION, credentials: CREDENTIALS }, access);
  const { host, tls, from, name: clientName, authorities } = configuration;
  if (tls === "none" && !network.speaksCleartext(host))
    throw new ConnectorError(
      `Provider ${name} has tls: none, and ${host} is another machine: everybody on the way could read the mails. Use starttls or tls.`,
      { kind: "configuration", outcome: "never-began" },
    );
  const { user, password } = credentials;
  const login = user === undefined || password === undefined ? undefined : { user, password };
  // What goes over the line is not the password itself, and a server may tell it on.
  if (login !== undefined) for (const text of encodedForms(login)) access.mask(text);
  return {
    name,
    host,
    port: configuration.port ?? PORTS[tls],
    tls,
    from,
    clientName,
    authorities: authorities === undefined ? undefined : [authorities],
    login,
  };
}

/** How AUTH PLAIN and AUTH LOGIN write them. */
function encodedForms({ user, password }: { readonly user: string; readonly password: string }): readonly string[] {
  const encoded = (text: string): string => Buffer.from(text, "utf8").toString("base64");
  return [encoded(`\u0000${user}\u0000${password}`), encoded(password)];
}

function isCertificates(text: string): boolean {
  try {
    return new X509Certificate(text).fingerprint256 !== "";
  } catch {
    return false;
  }
}
