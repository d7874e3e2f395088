import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { joinPointer } from "../json-pointer.ts";
import { didYouMean } from "../nearest-name.ts";
import { isWrappedExpression } from "../schema/text.ts";
import { type LintContext, member, textAt } from "./context.ts";

/** What a place can do with a URI: HTTP needs a whole one, a resource may also be a file or relative to the document. */
type Use = "http" | "resource";

const HTTP_SCHEMES: readonly string[] = ["http", "https"];
const RESOURCE_SCHEMES: readonly string[] = [...HTTP_SCHEMES, "file"];

/**
 * Endpoints that the schema takes for URI references although nothing can be reached by them: `htps//oops`, `https:/host`, a path where a
 * host is needed. Expressions are known at run time only.
 */
export function checkEndpoints(context: LintContext): void {
  checkSchemas(context, context.document, "");
  for (const { task, kind, pointer } of context.sites) {
    checkSchemas(context, task, pointer);
    if (kind === "run") checkResources(context, member(task, "run"), joinPointer(pointer, "run"));
    if (kind !== "call") continue;
    const given = member(task, "with");
    const at = joinPointer(pointer, "with");
    switch (textAt(task, "call")) {
      case "http":
        checkEndpoint(context, given["endpoint"], joinPointer(at, "endpoint"), "http");
        break;
      case "a2a":
        checkEndpoint(context, given["server"], joinPointer(at, "server"), "http");
        break;
      case "mcp": {
        const transport = member(member(given, "transport"), "http");
        checkEndpoint(context, transport["endpoint"], joinPointer(at, "transport", "http", "endpoint"), "http");
        break;
      }
      default:
    }
    if (textAt(task, "call") !== undefined) checkResources(context, given, at);
  }
  for (const [name, catalog] of Object.entries(member(context.use, "catalogs"))) {
    if (isJsonObject(catalog)) checkEndpoint(context, catalog["endpoint"], joinPointer("/use/catalogs", name, "endpoint"), "resource");
  }
}

/** Schemas that stand elsewhere. */
function checkSchemas(context: LintContext, owner: JsonObject, pointer: string): void {
  for (const key of ["input", "output", "export"]) {
    const resource = member(member(member(owner, key), "schema"), "resource");
    checkEndpoint(context, resource["endpoint"], joinPointer(pointer, key, "schema", "resource", "endpoint"), "resource");
  }
}

/** Documents and sources that are fetched from somewhere: one level below a call or a process. */
function checkResources(context: LintContext, owner: Json, pointer: string): void {
  if (!isJsonObject(owner)) return;
  for (const key of ["document", "proto", "agentCard", "source", "script"]) {
    const resource = owner[key];
    if (!isJsonObject(resource)) continue;
    if (key === "script") checkResources(context, resource, joinPointer(pointer, key));
    else checkEndpoint(context, resource["endpoint"], joinPointer(pointer, key, "endpoint"), "resource");
  }
}

function checkEndpoint(context: LintContext, endpoint: Json | undefined, pointer: string, use: Use): void {
  if (isJsonObject(endpoint)) return checkEndpoint(context, endpoint["uri"], joinPointer(pointer, "uri"), use);
  if (typeof endpoint !== "string" || isWrappedExpression(endpoint)) return;
  const problem = uriProblem(endpoint, use);
  if (problem !== undefined)
    context.error("malformed-endpoint", { pointer, message: `\`${endpoint}\` cannot be reached: ${problem.message}.`, hint: problem.hint });
}

function uriProblem(uri: string, use: Use): { readonly message: string; readonly hint?: string | undefined } | undefined {
  // A URI that begins with a value of the input shows its scheme at run time only.
  if (uri.startsWith("{")) return undefined;
  const schemes = use === "http" ? HTTP_SCHEMES : RESOURCE_SCHEMES;
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(uri)?.[1];
  const withoutColon = /^([A-Za-z][A-Za-z0-9+.-]*)\/\//.exec(uri)?.[1];
  if (withoutColon !== undefined)
    return { message: `after \`${withoutColon}\` a colon is missing`, hint: didYouMean(withoutColon, schemes) };
  if (scheme === undefined)
    return use === "http" ? { message: "it has no host", hint: "Write the whole URI: `https://host/path`." } : undefined;
  if (!schemes.includes(scheme.toLowerCase())) {
    return {
      message: `there is no way to use \`${scheme}:\` here`,
      hint: didYouMean(scheme, schemes) ?? `Schemes are ${schemes.map((name) => `\`${name}\``).join(", ")}.`,
    };
  }
  if (!uri.startsWith("//", scheme.length + 1)) return { message: `after \`${scheme}:\` two slashes are missing` };
  if (scheme.toLowerCase() === "file") return undefined;
  // Any value stands in for the variables; a port or host that is one stays unknown.
  const filled = uri.replaceAll(/:\{[^{}]*\}/g, ":1").replaceAll(/\{[^{}]*\}/g, "x");
  return URL.canParse(filled) ? undefined : { message: "host or port are malformed" };
}
