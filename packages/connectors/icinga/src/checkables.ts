import { z } from "@tutti/connector-kit";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import type { ApiEnd, IcingaApi } from "./icinga-api.ts";

/** A host, or a service of one. */
export type Kind = "host" | "service";
export interface Reference {
  readonly host: string;
  /** Undefined for the host itself. */
  readonly service: string | undefined;
}

const NAME = /^[^!\p{Cc}\p{Cs}]{1,255}$/u;
export const HostName = z.string().regex(NAME, "a name without ! and control characters").meta({ description: "Name of the host" });
export const ServiceName = z.string().regex(NAME, "a name without ! and control characters").meta({ description: "Name of the service" });
export const TokenText = z.string().regex(/^tok_[0-9a-f]{32}$/, "a token");
/** Where the token stands, and what was before a change until its end is stored; both are told to nobody as custom variables. */
export const TOKEN_VAR = "tutti_token";
export const NOTES_VAR = "tutti_notes";

const SECONDS_MAX = 365 * 24 * 3600;
const Seconds = z.number().positive().max(SECONDS_MAX);
const LINE = /^[^\p{Cs}]*$/u;
const Line = z.string().max(4000).regex(LINE);
const VarName = z
  .string()
  .regex(/^[A-Za-z_]\w{0,99}$/, "a name of letters, digits and _")
  .refine((name) => !name.startsWith("tutti_"), "none that begins with tutti_");

/** What can be set of a host or service, by the names that Icinga gives it. */
const ATTRIBUTES = {
  address: "address",
  address6: "address6",
  displayName: "display_name",
  checkCommand: "check_command",
  checkIntervalSeconds: "check_interval",
  retryIntervalSeconds: "retry_interval",
  maxCheckAttempts: "max_check_attempts",
  activeChecks: "enable_active_checks",
  notifications: "enable_notifications",
  notes: "notes",
} as const;
type Attribute = keyof typeof ATTRIBUTES;

const Common = {
  displayName: Line.optional(),
  checkCommand: z.string().regex(NAME).optional().meta({ description: "Name of a CheckCommand: hostalive, ping4, http, passive" }),
  checkIntervalSeconds: Seconds.optional(),
  retryIntervalSeconds: Seconds.optional().meta({ description: "While a state is not yet hard" }),
  maxCheckAttempts: z.int().min(1).max(1000).optional().meta({ description: "Checks until a state is hard" }),
  activeChecks: z.boolean().optional().meta({ description: "Whether Icinga checks by itself" }),
  notifications: z.boolean().optional(),
  notes: Line.optional(),
  vars: z.record(VarName, z.json()).optional().meta({ description: "Custom variables; null takes one away" }),
};
const Addresses = { address: Line.optional(), address6: Line.optional() };
export const HostAttributes = z.strictObject({ ...Addresses, ...Common });
export const ServiceAttributes = z.strictObject(Common);
export type Attributes = z.infer<typeof HostAttributes>;

/** A host or service as it is configured, and whether somebody has acknowledged its problem. */
const Shown = {
  /** Of the call that made it; null for those of others. */
  token: z.string().nullable(),
  displayName: z.string(),
  checkCommand: z.string(),
  checkIntervalSeconds: z.number(),
  retryIntervalSeconds: z.number(),
  maxCheckAttempts: z.number(),
  activeChecks: z.boolean(),
  notifications: z.boolean(),
  notes: z.string(),
  groups: z.array(z.string()),
  vars: z.record(z.string(), z.json()),
  isAcknowledged: z.boolean(),
};
export const Host = z.strictObject({ host: z.string(), address: z.string(), address6: z.string(), ...Shown });
export const Service = z.strictObject({ host: z.string(), service: z.string(), ...Shown });
export type Checkable = z.infer<typeof Host> | z.infer<typeof Service>;

/** How it is now. */
export const State = z.strictObject({
  state: z.enum(["up", "down", "ok", "warning", "critical", "unknown", "pending"]),
  isHard: z.boolean(),
  isAcknowledged: z.boolean(),
  isInDowntime: z.boolean(),
  output: z.string().nullable(),
  lastCheckAt: z.string().nullable(),
});
export type State = z.infer<typeof State>;

const Object_ = z.object({
  attrs: z.looseObject({
    __name: z.string(),
    name: z.string(),
    host_name: z.string().optional(),
    address: z.string().optional(),
    address6: z.string().optional(),
    display_name: z.string(),
    check_command: z.string(),
    check_interval: z.number(),
    retry_interval: z.number(),
    max_check_attempts: z.number(),
    enable_active_checks: z.boolean(),
    enable_notifications: z.boolean(),
    notes: z.string(),
    groups: z.array(z.string()).nullable(),
    vars: z.record(z.string(), z.json()).nullable(),
    acknowledgement: z.number(),
    downtime_depth: z.number(),
    state: z.number(),
    state_type: z.number(),
    last_check: z.number(),
    last_check_result: z.looseObject({ output: z.string(), check_source: z.string() }).nullable(),
    package: z.string(),
  }),
});
/** A host or service as the API describes it. */
export type Found = z.infer<typeof Object_>["attrs"];

/** @throws ConnectorError. @returns undefined when there is no such object. */
export async function readObject(api: IcingaApi, reference: Reference): Promise<Found | undefined> {
  const [found] = await api.find({ method: "GET", path: pathOf(reference) }, Object_);
  return found?.attrs;
}

/** @throws ConnectorError `validation`: there is none. */
export async function theObject(api: IcingaApi, reference: Reference): Promise<Found> {
  const found = await readObject(api, reference);
  if (found === undefined) throw nothing(api, reference);
  return found;
}

export function nothing(api: IcingaApi, reference: Reference): Error {
  const which = reference.service === undefined ? "host.list" : "service.list";
  return api.refusal(`There is no ${nameOf(reference)} in Icinga; \`${which}\` tells which there are.`);
}

/** All objects of a kind that a filter takes. @throws ConnectorError. */
export async function findObjects(
  api: IcingaApi,
  kind: Kind,
  filter: { readonly text: string; readonly vars: JsonObject } | undefined,
): Promise<readonly Found[]> {
  const body: JsonObject = filter === undefined ? {} : { filter: filter.text, filter_vars: filter.vars };
  return (await api.find({ method: "POST", path: `/objects/${kind}s`, body }, Object_)).map(({ attrs }) => attrs);
}

/** Gives an object its attributes. @throws ConnectorError when it is not known whether it was done, or may be tried again. */
export function setAttributes(api: IcingaApi, reference: Reference, attrs: JsonObject): Promise<ApiEnd> {
  return api.send({ method: "POST", path: pathOf(reference), body: { attrs } });
}

export function pathOf({ host, service }: Reference): string {
  return service === undefined
    ? `/objects/hosts/${encodeURIComponent(host)}`
    : `/objects/services/${encodeURIComponent(`${host}!${service}`)}`;
}

/** As ids name it. */
export function idOf({ host, service }: Reference): string {
  return service === undefined ? host : `${host}!${service}`;
}

export function referenceOf(found: Found): Reference {
  return found.host_name === undefined ? { host: found.name, service: undefined } : { host: found.host_name, service: found.name };
}

/** For people. */
export function nameOf({ host, service }: Reference): string {
  return service === undefined ? `host ${host}` : `service ${service} of host ${host}`;
}

/** Attributes as the API takes them; each custom variable by itself, so that others stay. */
export function apiAttributes(attributes: Attributes): Record<string, Json> {
  const { vars = {}, ...plain } = attributes;
  const own = Object.entries(plain).map(([key, value]) => [ATTRIBUTES[key as Attribute], value] as const);
  return Object.fromEntries(
    [...own, ...Object.entries(vars).map(([key, value]) => [`vars.${key}`, value] as const)].filter(([, value]) => value !== undefined),
  );
}

/** What an object has of the attributes that `wanted` names. */
export function currentOf(found: Found, wanted: Attributes): Attributes {
  const { vars, ...plain } = wanted;
  const own = Object.keys(plain).map((key) => [key, (found as Record<string, unknown>)[ATTRIBUTES[key as Attribute]] ?? null]);
  const had = found.vars ?? {};
  const variables = vars === undefined ? {} : { vars: Object.fromEntries(Object.keys(vars).map((key) => [key, had[key] ?? null])) };
  // Each member comes from the place that the schema of attributes names.
  return { ...Object.fromEntries(own), ...variables } as Attributes;
}

export function checkableOf(found: Found): Checkable {
  const { host, service } = referenceOf(found);
  const vars = Object.fromEntries(
    Object.entries(found.vars ?? {}).filter(([key, value]) => value !== null && key !== TOKEN_VAR && key !== NOTES_VAR),
  );
  const shown = {
    token: tokenOf(found),
    displayName: found.display_name,
    checkCommand: found.check_command,
    checkIntervalSeconds: found.check_interval,
    retryIntervalSeconds: found.retry_interval,
    maxCheckAttempts: found.max_check_attempts,
    activeChecks: found.enable_active_checks,
    notifications: found.enable_notifications,
    notes: found.notes,
    groups: (found.groups ?? []).toSorted(),
    vars,
    isAcknowledged: found.acknowledgement > 0,
  };
  return service === undefined
    ? { host, address: found.address ?? "", address6: found.address6 ?? "", ...shown }
    : { host, service, ...shown };
}

export function tokenOf(found: Found): string | null {
  const token = TokenText.safeParse(found.vars?.[TOKEN_VAR]);
  return token.success ? token.data : null;
}

export function notesOf(found: Found): JsonObject {
  const notes = found.vars?.[NOTES_VAR];
  return notes !== undefined && isJsonObject(notes) ? notes : {};
}

const SERVICE_STATES = ["ok", "warning", "critical", "unknown"] as const;

export function stateOf(found: Found): State {
  const { last_check_result: result, last_check: at } = found;
  const known = found.host_name === undefined ? (found.state === 0 ? "up" : "down") : (SERVICE_STATES[found.state] ?? "unknown");
  return {
    state: result === null ? "pending" : known,
    isHard: found.state_type === 1,
    isAcknowledged: found.acknowledgement > 0,
    isInDowntime: found.downtime_depth > 0,
    output: result?.output ?? null,
    lastCheckAt: result === null || at < 0 ? null : new Date(at * 1000).toISOString(),
  };
}
