import { ConnectorError } from "@tutti/connector-kit";
import { isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import { dereference, type OpenapiDocument } from "./openapi-document.ts";
import type { Operation } from "./openapi-request.ts";

/**
 * The URL that an operation's path is appended to, without a slash at its end. What a document leaves open (scheme, host, a relative server)
 * is that of the document itself.
 *
 * @throws ConnectorError `configuration`, never-began: a document from a file must name its server.
 */
export function serverUrl(document: OpenapiDocument, found: Operation): string {
  const url = document.root["swagger"] === "2.0" ? swaggerServer(document, found) : openapiServer(document, found);
  if (url.protocol === "file:") {
    throw new ConnectorError("The OpenAPI document came from a file and does not name its server: add one under servers (or host).", {
      kind: "configuration",
      outcome: "never-began",
    });
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

function swaggerServer({ url, root }: OpenapiDocument, { operation }: Operation): URL {
  const listed = ownProperty(operation, "schemes") ?? root["schemes"];
  const schemes = Array.isArray(listed) ? (listed as readonly Json[]).filter((item) => typeof item === "string") : [];
  const own = url.protocol.slice(0, -1);
  // https wherever it is offered; else what the document itself came by.
  const scheme = schemes.includes("https") ? "https" : schemes.includes(own) || schemes.length === 0 ? own : (schemes[0] ?? own);
  const host = typeof root["host"] === "string" ? root["host"] : url.host;
  if (host === "") return url;
  const protocol = scheme === "file" ? "https" : scheme;
  const basePath = typeof root["basePath"] === "string" ? root["basePath"] : "/";
  return resolveServer(`${protocol}://${host}/${basePath.replace(/^\/+/, "")}`, url);
}

function openapiServer(document: OpenapiDocument, { operation, pathItem }: Operation): URL {
  for (const level of [operation, pathItem, document.root]) {
    const servers = ownProperty(level, "servers");
    const first = Array.isArray(servers) ? dereference(document, servers[0] as Json | undefined) : undefined;
    if (first !== undefined && typeof first["url"] === "string") return resolveServer(withVariables(first["url"], first), document.url);
  }
  // OpenAPI 3: no servers means `/`.
  return resolveServer("/", document.url);
}

/** `https://{region}.example.com/v1` with the defaults that the document gives its variables. */
function withVariables(template: string, server: JsonObject): string {
  const variables = ownProperty(server, "variables");
  return template.replaceAll(/\{([^{}]+)\}/g, (whole, name: string) => {
    const variable = isJsonObject(variables) ? ownProperty(variables, name) : undefined;
    const value = isJsonObject(variable) ? variable["default"] : undefined;
    return typeof value === "string" || typeof value === "number" ? String(value) : whole;
  });
}

function resolveServer(text: string, base: URL): URL {
  if (URL.canParse(text, base.href)) return new URL(text, base);
  throw new ConnectorError(`"${text}" in the OpenAPI document is no server address.`, { kind: "configuration", outcome: "never-began" });
}
