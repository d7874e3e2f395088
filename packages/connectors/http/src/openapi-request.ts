import { ConnectorError } from "@tutti/connector-kit";
import { isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import { encodeBody } from "./body.ts";
import { buildHeaders, parseUrl, type PreparedRequest } from "./http-call.ts";
import type { OpenapiInput } from "./http-input.ts";
import { dereference, type OpenapiDocument } from "./openapi-document.ts";
import { headerText, type ParameterStyle, pathText, queryPairs, styleOfCollectionFormat } from "./parameter-style.ts";
import { serverUrl } from "./openapi-server.ts";

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch"];
/** The name under which an OpenAPI 3 request body is given: it has none of its own. */
const BODY_NAME = "body";

/** An operation with what surrounds it. */
export interface Operation {
  readonly method: string;
  readonly pathTemplate: string;
  readonly pathItem: JsonObject;
  readonly operation: JsonObject;
}

interface Parameter {
  readonly name: string;
  /** path, query, header, cookie; with Swagger 2.0 also body and formData. */
  readonly in: string;
  readonly required: boolean;
  readonly how: ParameterStyle;
}

/**
 * Builds the request that calls an operation with these parameters.
 *
 * @throws ConnectorError never-began: an unknown operation, an unknown or missing parameter. A wrong name is an error and not left out: a
 * filter that was misspelt would otherwise return, or delete, everything.
 */
export function prepareOperation(document: OpenapiDocument, call: OpenapiInput): PreparedRequest {
  const found = findOperation(document, call.operationId);
  const parameters = parametersOf(document, found);
  const given = new Map(Object.entries(call.parameters));
  const missing = parameters.filter((parameter) => parameter.required && (given.get(parameter.name) ?? null) === null);
  if (missing.length > 0) throw invalid(`${call.operationId} needs the parameter ${missing.map(({ name }) => name).join(", ")}.`);

  let path = found.pathTemplate;
  const query: (readonly [string, string])[] = [];
  const cookies: string[] = [];
  const headers: Record<string, string> = {};
  const form: Record<string, Json> = {};
  let body: Json | undefined;
  for (const parameter of parameters) {
    const value = given.get(parameter.name);
    given.delete(parameter.name);
    if (value === undefined) continue;
    switch (parameter.in) {
      case "path":
        path = path.replaceAll(`{${parameter.name}}`, () => pathText(parameter.name, value, parameter.how));
        break;
      case "query":
        query.push(...queryPairs(parameter.name, value, parameter.how));
        break;
      case "header":
        if (value !== null) headers[parameter.name] = headerText(value, parameter.how.explode);
        break;
      case "cookie":
        cookies.push(...queryPairs(parameter.name, value, parameter.how).map(([name, text]) => `${name}=${encodeURIComponent(text)}`));
        break;
      case "formData":
        form[parameter.name] = value;
        break;
      case "body":
        body = value;
        break;
      default:
        throw invalid(`${call.operationId} has a parameter in "${parameter.in}", which no version of OpenAPI knows.`);
    }
  }
  const content = requestContent(document, found, { given, body, form, operationId: call.operationId });
  const known = parameters.map(({ name }) => name).join(", ");
  if (given.size > 0) throw invalid(`${call.operationId} has no parameter ${[...given.keys()].join(", ")}; it has: ${known || "none"}.`);

  const url = parseUrl(serverUrl(document, found) + path);
  for (const [name, text] of query) url.searchParams.append(name, text);
  const all = buildHeaders(headers);
  if (!all.has("accept")) all.set("accept", acceptedTypes(document, found));
  if (cookies.length > 0) all.set("cookie", cookies.join("; "));
  if (content.type !== undefined && content.body !== undefined && !all.has("content-type")) all.set("content-type", content.type);
  return {
    method: found.method.toUpperCase(),
    url,
    headers: all,
    body: encodeBody(content.body, all),
    authentication: call.authentication,
    output: call.output,
    redirect: call.redirect,
  };
}

function findOperation(document: OpenapiDocument, operationId: string): Operation {
  const paths = dereference(document, document.root["paths"]) ?? {};
  const known: string[] = [];
  for (const pathTemplate of Object.keys(paths)) {
    const pathItem = dereference(document, paths[pathTemplate]) ?? {};
    for (const method of METHODS) {
      const operation = ownProperty(pathItem, method);
      if (!isJsonObject(operation)) continue;
      const id = ownProperty(operation, "operationId");
      if (id === operationId) return { method, pathTemplate, pathItem, operation };
      if (typeof id === "string") known.push(id);
    }
  }
  const shown = known.slice(0, 20).join(", ");
  throw new ConnectorError(`The document has no operation "${operationId}"; it has: ${shown || "none"}${known.length > 20 ? " …" : ""}.`, {
    kind: "configuration",
    outcome: "never-began",
  });
}

/** The operation's parameters and those of its path that it does not replace. */
function parametersOf(document: OpenapiDocument, { pathItem, operation }: Operation): readonly Parameter[] {
  const byPlace = new Map<string, Parameter>();
  for (const list of [ownProperty(pathItem, "parameters"), ownProperty(operation, "parameters")]) {
    for (const entry of Array.isArray(list) ? (list as readonly Json[]) : []) {
      const raw = dereference(document, entry);
      const name = raw === undefined ? undefined : ownProperty(raw, "name");
      const place = raw === undefined ? undefined : ownProperty(raw, "in");
      if (raw === undefined || typeof name !== "string" || typeof place !== "string") continue;
      byPlace.set(`${place}/${name}`, { name, in: place, required: raw["required"] === true, how: styleOf(document, raw, place) });
    }
  }
  return [...byPlace.values()];
}

function styleOf(document: OpenapiDocument, raw: JsonObject, place: string): ParameterStyle {
  if (document.root["swagger"] === "2.0") {
    const how = styleOfCollectionFormat(raw["collectionFormat"]);
    return place === "path" || place === "header" ? { style: "simple", explode: false } : how;
  }
  const isForm = place === "query" || place === "cookie";
  const style = typeof raw["style"] === "string" ? raw["style"] : isForm ? "form" : "simple";
  return { style, explode: typeof raw["explode"] === "boolean" ? raw["explode"] : style === "form" };
}

interface ContentSources {
  /** Parameters nobody took so far; what becomes part of the body is removed from it. */
  readonly given: Map<string, Json>;
  readonly body: Json | undefined;
  readonly form: JsonObject;
  readonly operationId: string;
}

/** The request's body and content type: Swagger's body or form parameters, or OpenAPI 3's `requestBody`. */
function requestContent(
  document: OpenapiDocument,
  { operation }: Operation,
  sources: ContentSources,
): { readonly body: Json | undefined; readonly type: string | undefined } {
  if (document.root["swagger"] === "2.0") {
    const consumes = stringsOf(ownProperty(operation, "consumes") ?? document.root["consumes"]);
    if (Object.keys(sources.form).length > 0) return { body: sources.form, type: formType(consumes, sources.operationId) };
    return { body: sources.body, type: preferJson(consumes) };
  }
  const requestBody = dereference(document, ownProperty(operation, "requestBody"));
  if (requestBody === undefined) return { body: undefined, type: undefined };
  const content = dereference(document, requestBody["content"]) ?? {};
  const types = Object.keys(content);
  const type = preferJson(types);
  const body = bodyOf(document, type === undefined ? undefined : content[type], sources.given);
  if (body === undefined && requestBody["required"] === true) {
    throw invalid(`${sources.operationId} needs a request body: give it as the parameter "${BODY_NAME}".`);
  }
  if (isJsonObject(body ?? null) && type !== undefined && type.startsWith("multipart/")) throw noMultipart(sources.operationId);
  return { body, type };
}

/** The parameter `body`, or else the parameters that are properties of the body's schema. */
function bodyOf(document: OpenapiDocument, media: Json | undefined, given: Map<string, Json>): Json | undefined {
  const whole = given.get(BODY_NAME);
  const schema = dereference(document, dereference(document, media)?.["schema"]);
  const properties = schema === undefined ? undefined : dereference(document, schema["properties"]);
  if (whole !== undefined && (properties === undefined || !Object.hasOwn(properties, BODY_NAME))) {
    given.delete(BODY_NAME);
    return whole;
  }
  const members = Object.keys(properties ?? {}).filter((name) => given.has(name));
  if (members.length === 0) return undefined;
  const body = Object.fromEntries(members.map((name) => [name, given.get(name) as Json]));
  for (const name of members) given.delete(name);
  return body;
}

function formType(consumes: readonly string[], operationId: string): string {
  const form = "application/x-www-form-urlencoded";
  if (consumes.length > 0 && !consumes.includes(form)) throw noMultipart(operationId);
  return form;
}

function noMultipart(operationId: string): ConnectorError {
  return new ConnectorError(`${operationId} takes multipart/form-data, which this call does not send.`, {
    kind: "configuration",
    outcome: "never-began",
  });
}

function acceptedTypes(document: OpenapiDocument, { operation }: Operation): string {
  if (document.root["swagger"] === "2.0") {
    const produces = stringsOf(ownProperty(operation, "produces") ?? document.root["produces"]);
    return preferJson(produces) ?? "*/*";
  }
  const responses = dereference(document, ownProperty(operation, "responses")) ?? {};
  const types = Object.keys(responses)
    .filter((status) => status.startsWith("2"))
    .flatMap((status) => Object.keys(dereference(document, dereference(document, responses[status])?.["content"]) ?? {}));
  return preferJson(types) ?? "*/*";
}

function preferJson(types: readonly string[]): string | undefined {
  return types.find((type) => type.startsWith("application/json")) ?? types.find((type) => type.includes("+json")) ?? types[0];
}

function stringsOf(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? (value as readonly Json[]).filter((item) => typeof item === "string") : [];
}

function invalid(message: string): ConnectorError {
  return new ConnectorError(message, { kind: "validation", outcome: "never-began" });
}
