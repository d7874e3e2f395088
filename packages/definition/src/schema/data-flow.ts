import { z } from "zod";
import { Authentication } from "./authentication.ts";
import { AnyObject, choice, closed, exactlyOneOf, textOr } from "./building-blocks.ts";
import { isWrappedExpression, RuntimeExpression, UriOrExpression, UriTemplate } from "./text.ts";

export const Endpoint = choice(
  [RuntimeExpression, UriTemplate, closed({ uri: UriOrExpression, authentication: Authentication.optional() })],
  (value) => {
    if (typeof value === "string") return isWrappedExpression(value) ? 0 : 1;
    return typeof value === "object" && value !== null ? 2 : "must be a URI, an expression `${ … }`, or an object with `uri`";
  },
);

export const ExternalResource = closed({ name: z.string().optional(), endpoint: Endpoint });
export const Catalog = closed({ endpoint: Endpoint });

/** A schema for data: inline, or by reference. */
const DataSchema = exactlyOneOf(
  closed({ format: z.string().optional(), document: z.unknown().optional(), resource: ExternalResource.optional() }),
  ["document", "resource"],
);

/** An expression, or an object with expressions in it. */
export const Mapping = textOr(z.string(), AnyObject);

export const Input = closed({ schema: DataSchema.optional(), from: Mapping.optional() });
export const Output = closed({ schema: DataSchema.optional(), as: Mapping.optional() });
export const Export = closed({ schema: DataSchema.optional(), as: Mapping.optional() });
