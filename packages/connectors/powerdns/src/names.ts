import { ConnectorError, z } from "@tutti/connector-kit";

/** Letters, digits, `-`, `_` and `/` (reverse zones of parts of a network); names in other scripts are written in their `xn--` form. */
const LABEL = "[A-Za-z0-9_/-]{1,63}";
const NAME = new RegExp(`^(?:\\*\\.)?(?:${LABEL}\\.)*${LABEL}\\.?$`);
const NAME_CHARACTERS_MAX = 254;

/** A zone's name, with or without the dot at its end. */
export const ZoneName = z
  .string()
  .max(NAME_CHARACTERS_MAX)
  .regex(NAME, "a DNS name: letters, digits, dashes and underscores between dots")
  .meta({ description: "Name of the zone: lab.test" });

/** The name of a record set: `@` is the zone itself; what does not end with the zone or a dot is below the zone. */
export const RecordName = z
  .string()
  .max(NAME_CHARACTERS_MAX)
  .regex(new RegExp(`^@$|${NAME.source}`), "a DNS name, or @ for the zone itself")
  .meta({ description: "Name: www or www.lab.test; @ is the zone itself" });

export const RecordType = z
  .string()
  .regex(/^[A-Z][A-Z0-9]{0,15}$/, "a type of records in capitals: A, AAAA, CNAME, MX, TXT …")
  .meta({ description: "A, AAAA, CNAME, MX, TXT …; not SOA" })
  .refine((type) => type !== "SOA", "the SOA record follows from the zone, and PowerDNS changes it by itself");

/** As PowerDNS writes it: small letters, a dot at the end. */
export function canonicalName(name: string): string {
  return `${name.toLowerCase().replace(/\.$/, "")}.`;
}

/**
 * The whole name of a record set.
 *
 * @throws ConnectorError `validation`, never-began: the name lies outside of the zone.
 */
export function recordName(given: string, zone: string): string {
  if (given === "@") return zone;
  const name = canonicalName(given);
  if (name === zone || name.endsWith(`.${zone}`)) return name;
  if (!given.endsWith(".")) return `${name}${zone}`;
  throw new ConnectorError(`${name} does not lie in the zone ${zone}: leave out the dot at the end, or name the right zone.`, {
    kind: "validation",
    outcome: "never-began",
  });
}

/** The id of a zone in URLs: what is no letter, digit, dot or dash is `=` and two hexadecimal digits. */
export function zoneId(zone: string): string {
  return zone.replace(/[^A-Za-z0-9.-]/g, (character) => `=${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
}
