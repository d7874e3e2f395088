import { findNotCloneable } from "@tutti/connector-kit";
import { type Json, PAYLOAD_BYTES_MAX, VALUE_DEPTH_MAX } from "@tutti/model";

/** UTF-8 takes at most three bytes per UTF-16 unit: below this nothing has to be measured exactly. */
const SURE_UNITS = Math.floor(PAYLOAD_BYTES_MAX / 3);

export type CheckedValue =
  | { readonly kind: "plain"; readonly value: Json }
  | { readonly kind: "not-plain"; readonly why: string }
  | { readonly kind: "too-large"; readonly why: string };

/** Whether `value` is plain JSON within the size limit: what comes back from a connector is believed only after this. */
export function checkValue(value: unknown): CheckedValue {
  const units = unitsOf(value, 0);
  if (units < 0) return { kind: "not-plain", why: findNotCloneable(value) ?? "it is not plain JSON" };
  if (units > SURE_UNITS) {
    const bytes = Buffer.byteLength(JSON.stringify(value), "utf8");
    if (bytes > PAYLOAD_BYTES_MAX)
      return { kind: "too-large", why: `it has ${bytes} bytes; the limit is ${PAYLOAD_BYTES_MAX}: use an artifact and pass its URI` };
  }
  // Walked: nothing but JSON is in it.
  return { kind: "plain", value: value as Json };
}

/** Roughly the length of the JSON text, or a negative number when the value is not plain JSON. One pass, nothing allocated but key lists. */
function unitsOf(value: unknown, depth: number): number {
  switch (typeof value) {
    case "string":
      return value.length + 2;
    case "boolean":
      return 5;
    case "number":
      return Number.isFinite(value) ? 24 : -1;
    case "object":
      break;
    default:
      return -1;
  }
  if (value === null) return 4;
  if (depth > VALUE_DEPTH_MAX) return -1;
  if (Array.isArray(value)) {
    if (Object.keys(value).length !== value.length) return -1;
    return sum(value, depth);
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return -1;
  let total = 2;
  for (const key of Object.keys(value)) {
    // Own key of an object.
    const units = unitsOf((value as Record<string, unknown>)[key], depth + 1);
    if (units < 0) return -1;
    total += units + key.length + 4;
  }
  return total;
}

function sum(items: readonly unknown[], depth: number): number {
  let total = 2;
  for (const item of items) {
    const units = unitsOf(item, depth + 1);
    if (units < 0) return -1;
    total += units + 1;
  }
  return total;
}
