import type { Json, JsonObject } from "@tutti/model";
import type { z } from "zod";
import { readBySchema } from "./check-schema.ts";
import { type Connector, ConnectorError } from "./connector.ts";

/** A configured target of a connector, as a running attempt gets it. */
export interface AttemptProvider {
  readonly name: string;
  readonly configuration: JsonObject;
  /** Values, only for this attempt; masked by having been resolved. */
  readonly credentials: JsonObject;
}

/** What looking at a provider needs: the part of an attempt that is there without a run. */
export interface ProviderAccess {
  /** Undefined when the connector takes no provider. */
  readonly provider: AttemptProvider | undefined;
  /**
   * Aborted on timeout, cancellation and stop. A function that stops without effect throws `ConnectorError` with outcome `never-began`. The reason's
   * name is `TimeoutError`, `AbortError` (cancelled), or `StopError`: this process ends, and what would be found again may go on.
   */
  readonly signal: AbortSignal;
  /** Registers a value for masking that was derived from a secret, such as an access token fetched with it. */
  mask(value: Json): void;
  /**
   * The text with its secrets masked. Needed before a text is cut to an excerpt: half a secret is not recognised any more. What a function returns,
   * throws or logs is masked anyway.
   */
  masked(text: string): string;
}

/** Whether a provider can be worked with. */
export type Health =
  | { readonly status: "healthy"; /** Of the target, as it names it. */ readonly version: string | undefined }
  /** It answers, but not everything will work. `problem` says what is wrong, `wayOut` what a person can do about it; a sentence each. */
  | { readonly status: "degraded" | "unhealthy"; readonly version: string | undefined; readonly problem: string; readonly wayOut: string };

/** Whether functions of this connector work on a provider, so that `with.provider` may name one. */
export function takesProvider(connector: Pick<Connector, "configuration" | "credentials">): boolean {
  return connector.configuration !== undefined || connector.credentials !== undefined;
}

/**
 * The attempt's provider, read by the connector's own schemas with defaults filled in: how a function gets at its target.
 *
 * @throws ConnectorError `configuration`, never-began: there is no provider, or what it was configured with does not fit. The message names members and
 * never values.
 */
export function readProvider<Configuration extends z.ZodType, Credentials extends z.ZodType>(
  schemas: { readonly configuration: Configuration; readonly credentials: Credentials },
  access: Pick<ProviderAccess, "provider">,
): { readonly name: string; readonly configuration: z.infer<Configuration>; readonly credentials: z.infer<Credentials> } {
  const { provider } = access;
  if (provider === undefined) throw misconfigured("This call needs a provider: `tutti provider add` makes one.");
  const configuration = readBySchema(schemas.configuration, provider.configuration);
  if (configuration.kind === "misfit")
    throw misconfigured(`The configuration of provider ${provider.name} does not fit: ${configuration.problem}`);
  const credentials = readBySchema(schemas.credentials, provider.credentials);
  if (credentials.kind === "misfit") throw misconfigured(`The credentials of provider ${provider.name} do not fit: ${credentials.problem}`);
  return { name: provider.name, configuration: configuration.value, credentials: credentials.value };
}

function misconfigured(message: string): ConnectorError {
  return new ConnectorError(message, { kind: "configuration", outcome: "never-began" });
}
