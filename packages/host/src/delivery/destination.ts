import { NotEmptyText, z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";

/** A value as it is, or the name of a secret that is read anew for each request. */
const HeaderValue = z.union([z.string(), z.strictObject({ secret: NotEmptyText })]);

export const HeaderSettings = z.record(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "is no name of a header"), HeaderValue);
export type HeaderSettings = z.infer<typeof HeaderSettings>;

/** Where the operator wants something sent. */
export interface Destination {
  readonly url: string;
  readonly headers: HeaderSettings;
}

/** Why a text is no address to send to; undefined when it is one. */
export function problemOfUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return "an absolute URL is needed, such as http://127.0.0.1:4318/v1/traces";
  const { protocol, username, password, hash } = new URL(text);
  if (protocol !== "http:" && protocol !== "https:") return "an address that begins with http:// or https:// is needed";
  if (username !== "" || password !== "") return "credentials belong into `headers`, as a secret";
  return hash === "" ? undefined : "an address to send to has no part behind #";
}

/** What may be told of an address: the path and the query of one may be a secret. */
export function placeOf(url: string): string {
  return new URL(url).origin;
}

/** The headers with their secrets. @throws Error that quotes no value. */
export async function headersOf(
  given: HeaderSettings,
  contentType: string,
  secret: (name: string) => Promise<Json | undefined>,
): Promise<Headers> {
  const headers = new Headers({ "user-agent": "tutti" });
  for (const [name, value] of Object.entries(given)) {
    const text = typeof value === "string" ? value : await secret(value.secret);
    if (typeof text !== "string") throw new Error(`the header ${name} has no value: its secret is missing, or no text`);
    try {
      headers.set(name, text);
    } catch {
      // The cause quotes the value.
      throw new Error(`the value of the header ${name} can't be sent`);
    }
  }
  headers.set("content-type", contentType);
  return headers;
}
