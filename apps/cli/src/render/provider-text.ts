import type { ProviderView } from "../json/provider-json.ts";
import { oneLine } from "./text.ts";

/** How a provider is, in a few words: `healthy 4.7.3`, `unhealthy: the key is not accepted`. */
export function healthText({ health }: ProviderView): string {
  if (health === undefined) return "not checked";
  const { found } = health;
  const version = found.version === undefined ? "" : ` ${found.version}`;
  return oneLine(`${found.status}${version}${found.status === "healthy" ? "" : `: ${found.problem}`}`);
}

/** A provider and how it is, a line per thing that a person may want to know or do. */
export function providerLines(view: ProviderView): readonly string[] {
  const lines = [oneLine(`${view.name}  ${view.connector}  ${healthText(view)}`)];
  if (view.health !== undefined && view.health.found.status !== "healthy") lines.push(`  ${oneLine(view.health.found.wayOut)}`);
  return lines;
}
