import { ISO_DURATION } from "@tutti/model";
import { z } from "zod";
import { choice, closed, Integer, notEmpty } from "./building-blocks.ts";

/** A wrapped expression. The dot matches no line break: the schema takes an expression over several lines for plain text. */
const RUNTIME_EXPRESSION = /^\s*\$\{.+\}\s*$/u;
/** Where an expression begins, the schema never sees a URI. */
const LITERAL_URI = /^(?!\s*\$\{)(?=\S)(([^:/?#]+):)?(\/\/([^/?#\s]*))?([^?#\s]*)(\?([^#\s]*))?(#(\S*))?$/u;
const SEMANTIC_VERSION =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$/u;
const HOST_LABEL = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/u;
const GRPC_HOST = /^[a-zA-Z0-9](?:[a-zA-Z0-9-.]{0,61}[a-zA-Z0-9])?$/u;
const JSON_POINTER = /^(?:\/(?:[^~/]|~0|~1)*)*$/u;

/** Characters that no URI and no URI template has outside of braces. An apostrophe is for URIs only. */
const URI_CHARACTERS = /^(?:[^\p{Cc} "'<>%\\^`{|}]|%[0-9a-f]{2})*$/iu;
const TEMPLATE_EXPRESSION =
  /^[+#./;?&=,!@|]?(?:[a-z0-9_]|%[0-9a-f]{2})+(?::[1-9][0-9]{0,3}|\*)?(?:,(?:[a-z0-9_]|%[0-9a-f]{2})+(?::[1-9][0-9]{0,3}|\*)?)*$/iu;
const URI_REFERENCE = /^(?:[a-z][a-z0-9+\-.]*:)?(?:[a-z0-9\-._~!$&'"()*+,;=:@/?#[\]]|%[0-9a-f]{2})*$/iu;

export const RuntimeExpression = z.string().regex(RUNTIME_EXPRESSION, { error: "must be an expression `${ … }` on one line" });

export function isWrappedExpression(text: unknown): boolean {
  return typeof text === "string" && /^\s*\$\{/u.test(text);
}

/** RFC 6570: literal text with `{name}` in it. */
export function isUriTemplate(text: string): boolean {
  let rest = text;
  for (;;) {
    const open = rest.indexOf("{");
    if (open < 0) return URI_CHARACTERS.test(rest);
    const close = rest.indexOf("}", open);
    if (close < 0 || !URI_CHARACTERS.test(rest.slice(0, open)) || !TEMPLATE_EXPRESSION.test(rest.slice(open + 1, close))) return false;
    rest = rest.slice(close + 1);
  }
}

export const UriTemplate = z
  .string()
  .refine((text) => LITERAL_URI.test(text) && (isUriTemplate(text) || URI_REFERENCE.test(text)), {
    error: "must be a URI, in which `{name}` stands for a value of the input",
  })
  .meta({ pattern: LITERAL_URI.source, anyOf: [{ format: "uri-template" }, { format: "uri-reference" }] });

/** The relative endpoints of OAuth2: a template and nothing else. */
export const TemplateText = z
  .string()
  .refine(isUriTemplate, { error: "must be a URI or a path, in which `{name}` stands for a value" })
  .meta({ format: "uri-template" });

export const UriOrExpression = choice([RuntimeExpression, UriTemplate], (value) => (isWrappedExpression(value) ? 0 : 1));

export const SemanticVersion = z
  .string()
  .regex(SEMANTIC_VERSION, { error: "must be a semantic version such as `1.0.0`; put it in quotes" });
export const HostLabel = z.string().regex(HOST_LABEL, { error: "must be letters, digits and inner hyphens, at most 63 of them" });
export const GrpcHost = z.string().regex(GRPC_HOST, { error: "must be a host name" });
export { NotEmptyText } from "@tutti/model/schemas";

const PointerText = z
  .string()
  .regex(JSON_POINTER, { error: "must be a JSON pointer such as `/do/0/createVm`, or an expression `${ … }`" })
  .meta({ format: "json-pointer" });
export const PointerOrExpression = choice([RuntimeExpression, PointerText], (value) => (isWrappedExpression(value) ? 0 : 1));

const TimeText = z
  .string()
  .refine(isDateTime, { error: "must be a time such as `2026-01-31T12:00:00Z`, or an expression `${ … }`" })
  .meta({ format: "date-time" });
export const TimeOrExpression = choice([RuntimeExpression, TimeText], (value) => (isWrappedExpression(value) ? 0 : 1));

const DurationFields = notEmpty(
  closed({
    days: Integer.optional(),
    hours: Integer.optional(),
    minutes: Integer.optional(),
    seconds: Integer.optional(),
    milliseconds: Integer.optional(),
  }),
);
const DURATION_FORMS = "must be a duration: `{ seconds: 30 }`, ISO 8601 `PT30S`, or an expression `${ … }`";
const DurationText = z.string().regex(ISO_DURATION, { error: DURATION_FORMS });
export const Duration = choice([DurationFields, RuntimeExpression, DurationText], (value) => {
  if (typeof value === "string") return isWrappedExpression(value) ? 1 : 2;
  return typeof value === "object" && value !== null && !Array.isArray(value) ? 0 : DURATION_FORMS;
});

const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)[t\s](\d\d):(\d\d):(\d\d(?:\.\d+)?)(z|([+-])(\d\d)(?::?(\d\d))?)$/iu;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** RFC 3339, with a space in place of `T` and offsets without colon, and with the leap second where it can be: at 23:59 UTC. */
export function isDateTime(text: string): boolean {
  const match = DATE_TIME.exec(text);
  if (match === null) return false;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const isLeapYear = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 && isLeapYear ? 29 : (MONTH_DAYS[month - 1] ?? 0);
  if (day < 1 || day > days) return false;
  const sign = match[8] === "-" ? -1 : 1;
  const offsetHours = Number(match[9] ?? 0);
  const offsetMinutes = Number(match[10] ?? 0);
  if (offsetHours > 23 || offsetMinutes > 59) return false;
  if (hour > 23 || minute > 59) return false;
  if (second < 60) return true;
  const utcMinute = minute - offsetMinutes * sign;
  const utcHour = hour - offsetHours * sign - (utcMinute < 0 ? 1 : 0);
  return (utcHour === 23 || utcHour === -1) && (utcMinute === 59 || utcMinute === -1) && second < 61;
}
