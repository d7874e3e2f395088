import { AppError } from "@tutti/model";
import { type Destination, problemOfUrl } from "../delivery/destination.ts";

/** https://opentelemetry.io/docs/specs/otel/protocol/exporter/ : the specification's names and default. */
const TIMEOUT_MS_DEFAULT = 10_000;
const TIMEOUT_MS_MAX = 60_000;
const PATH = "/v1/traces";

export interface TraceTarget extends Destination {
  readonly timeoutMs: number;
}

/**
 * Where traces go: what the command line says, else `settings.yaml`, else OpenTelemetry's environment, which is often meant for all programs of a
 * machine. Headers of the environment belong to an address of the environment or the command line, those of the settings to that of the settings.
 *
 * @throws AppError `settings-invalid` naming the variable.
 */
export function traceTargetOf(given: {
  readonly flag: string | undefined;
  readonly settings: Destination | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}): TraceTarget | undefined {
  const of = (name: string): string | undefined =>
    given.environment[`OTEL_EXPORTER_OTLP_TRACES_${name}`] || given.environment[`OTEL_EXPORTER_OTLP_${name}`];
  const timeoutMs = timeoutOf(of("TIMEOUT"));
  if (given.flag !== undefined) return { url: withPath(given.flag), headers: parseHeaders(of("HEADERS")), timeoutMs };
  if (given.settings !== undefined) return { ...given.settings, url: withPath(given.settings.url), timeoutMs };
  const url = urlOfEnvironment(given.environment);
  // The protocol with protobuf frames has another port and another way to speak: nobody there would understand.
  if (url === undefined || of("PROTOCOL") === "grpc") return undefined;
  return { url, headers: parseHeaders(of("HEADERS")), timeoutMs };
}

function urlOfEnvironment(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  if (environment["OTEL_SDK_DISABLED"]?.toLowerCase() === "true" || environment["OTEL_TRACES_EXPORTER"] === "none") return undefined;
  for (const name of ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]) {
    const text = environment[name];
    if (!text) continue;
    const problem = problemOfUrl(text);
    if (problem !== undefined) throw new AppError("settings-invalid", `${name}: ${problem}.`, { details: { variable: name } });
    // The first is used as it is, the second is where the paths of all signals begin.
    return name === "OTEL_EXPORTER_OTLP_ENDPOINT" ? appendPath(text) : text;
  }
  return undefined;
}

/** `http://collector:4318` is what people write. */
function withPath(text: string): string {
  return new URL(text).pathname === "/" ? appendPath(text) : text;
}

function appendPath(text: string): string {
  const url = new URL(text);
  url.pathname = url.pathname.replace(/\/$/, "") + PATH;
  return url.href;
}

/** `name=value,name=value`, values in percent encoding, as W3C Baggage has it. What is no such pair is left out. */
function parseHeaders(text: string | undefined): Readonly<Record<string, string>> {
  const pairs = (text ?? "").split(",").flatMap((part): (readonly [string, string])[] => {
    const [, name = "", value = ""] = /^\s*([^=\s]+)\s*=(.*)$/.exec(part) ?? [];
    return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) ? [[name, decoded(value.trim())]] : [];
  });
  return Object.fromEntries(pairs);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function timeoutOf(text: string | undefined): number {
  const ms = Number(text ?? Number.NaN);
  return ms > 0 ? Math.min(ms, TIMEOUT_MS_MAX) : TIMEOUT_MS_DEFAULT;
}
