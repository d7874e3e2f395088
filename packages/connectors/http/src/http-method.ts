import type { EffectClass, JsonObject } from "@tutti/model";

/**
 * The effect class of a request by its method (RFC 9110, section 9.2): safe methods change nothing, PUT and DELETE may be sent again. POST
 * and PATCH promise nothing; an author who knows better says so with `metadata.tutti.effect`.
 */
export function effectOfMethod(method: string): EffectClass {
  switch (method.toUpperCase()) {
    case "GET":
    case "HEAD":
    case "OPTIONS":
      return "read";
    case "PUT":
    case "DELETE":
      return "idempotent";
    default:
      return "unsafe";
  }
}

/** The class of an `http` call; a method that is no text is refused by the schema later and is unsafe until then. */
export function effectOfHttpInput(input: JsonObject): EffectClass {
  const method = input["method"];
  return typeof method === "string" ? effectOfMethod(method) : "unsafe";
}
