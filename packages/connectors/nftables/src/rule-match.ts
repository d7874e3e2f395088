import { z } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import { AddressText, addressOf, Interface, SetName } from "./names.ts";
import type { SetAnswer } from "./ruleset.ts";

/** More are a set's work: it is looked up at once, and filled without touching the rule. */
const ADDRESSES_MAX = 256;
const PORTS_MAX = 256;

const SetReference = z
  .string()
  .startsWith("@")
  .refine((text) => SetName.safeParse(text.slice(1)).success, "@ and the name of a set");
const Addresses = z
  .union([AddressText, SetReference, z.array(AddressText).min(1).max(ADDRESSES_MAX)])
  .meta({ description: "An address, a network, a list of them, or @ and the name of a set of the table" });
const Port = z.int().min(0).max(65_535);
const PortRange = z
  .string()
  .regex(/^\d{1,5}-\d{1,5}$/, "a range of ports: 8000-8080")
  .refine((text) => {
    const [from = 0, to = 0] = text.split("-").map(Number);
    return from < to && to <= 65_535;
  }, "a range of ports, the lower one first");
const Ports = z
  .array(z.union([Port, PortRange]))
  .min(1)
  .max(PORTS_MAX);
const Protocol = z.enum(["tcp", "udp", "sctp", "icmp", "icmpv6", "esp", "ah", "gre"]);
const WITH_PORTS: ReadonlySet<string> = new Set(["tcp", "udp", "sctp"]);

/** What packets a rule is about: all that is said must be so; left out, it is about all. */
export const Match = z
  .strictObject({
    source: Addresses.optional(),
    destination: Addresses.optional(),
    inInterface: Interface.optional(),
    outInterface: Interface.optional(),
    protocol: Protocol.optional(),
    sourcePorts: Ports.optional(),
    destinationPorts: Ports.optional(),
    connection: z
      .array(z.enum(["new", "established", "related", "invalid"]))
      .min(1)
      .max(4)
      .optional(),
  })
  .refine(
    ({ protocol, sourcePorts, destinationPorts }) =>
      (sourcePorts === undefined && destinationPorts === undefined) || (protocol !== undefined && WITH_PORTS.has(protocol)),
    "ports belong to a protocol: tcp, udp or sctp",
  )
  .meta({ description: "What packets it is about: all that is said must be so" });
export type Match = z.infer<typeof Match>;

export const Verdict = z.enum(["accept", "drop", "reject", "return"]);

/** A match that names what the table does not have, or two families at once. */
export class MatchProblem extends Error {}

/**
 * The statements of a rule, in nft's JSON.
 *
 * @throws MatchProblem when a set is missing or holds no addresses, or families are mixed.
 */
export function ruleStatements(
  rule: { readonly match: Match; readonly verdict: z.infer<typeof Verdict>; readonly counter: boolean },
  sets: readonly SetAnswer[],
): readonly Json[] {
  const { match, verdict, counter } = rule;
  const statements: Json[] = [];
  if (match.inInterface !== undefined) statements.push(equals({ meta: { key: "iifname" } }, match.inInterface));
  if (match.outInterface !== undefined) statements.push(equals({ meta: { key: "oifname" } }, match.outInterface));
  if (match.source !== undefined) statements.push(addressStatement("saddr", match.source, sets));
  if (match.destination !== undefined) statements.push(addressStatement("daddr", match.destination, sets));
  if (match.protocol !== undefined) {
    const { protocol } = match;
    if (match.sourcePorts === undefined && match.destinationPorts === undefined)
      statements.push(equals({ meta: { key: "l4proto" } }, protocol));
    if (match.sourcePorts !== undefined)
      statements.push(equals({ payload: { protocol, field: "sport" } }, oneOf(match.sourcePorts.map(portOf))));
    if (match.destinationPorts !== undefined)
      statements.push(equals({ payload: { protocol, field: "dport" } }, oneOf(match.destinationPorts.map(portOf))));
  }
  if (match.connection !== undefined)
    statements.push({ match: { op: "in", left: { ct: { key: "state" } }, right: [...match.connection] } });
  if (counter) statements.push({ counter: null });
  statements.push({ [verdict]: null });
  return statements;
}

function equals(left: JsonObject, right: Json): JsonObject {
  return { match: { op: "==", left, right } };
}

function oneOf(values: readonly Json[]): Json {
  return values.length === 1 ? (values[0] ?? null) : { set: [...values] };
}

function portOf(port: number | string): Json {
  return typeof port === "number" ? port : { range: port.split("-").map(Number) };
}

function addressStatement(field: "saddr" | "daddr", wanted: NonNullable<Match["source"]>, sets: readonly SetAnswer[]): Json {
  const payload = (family: 4 | 6): JsonObject => ({ payload: { protocol: family === 4 ? "ip" : "ip6", field } });
  if (typeof wanted === "string" && wanted.startsWith("@")) {
    const name = wanted.slice(1);
    const set = sets.find((each) => each.name === name);
    if (set === undefined) throw new MatchProblem(`The table has no set ${name}.`);
    const family = familyOfSet(set);
    if (family === undefined) throw new MatchProblem(`The set ${name} does not hold addresses.`);
    return equals(payload(family), wanted);
  }
  const addresses = (typeof wanted === "string" ? [wanted] : wanted).map(addressOf).filter((address) => address !== undefined);
  const family = addresses[0]?.family ?? 4;
  if (addresses.some((address) => address.family !== family))
    throw new MatchProblem("A rule is about IPv4 or IPv6 addresses: make two rules.");
  return equals(
    payload(family),
    oneOf(addresses.map(({ address, length }) => (length === undefined ? address : { prefix: { addr: address, len: length } }))),
  );
}

/** Undefined when the set does not hold single addresses. */
export function familyOfSet({ type }: SetAnswer): 4 | 6 | undefined {
  return type === "ipv4_addr" ? 4 : type === "ipv6_addr" ? 6 : undefined;
}
