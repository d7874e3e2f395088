import { z } from "zod";
import { AnyObject, closed, exactlyOneOf, Integer, notEmpty, open, textOr } from "./building-blocks.ts";
import { Duration, PointerOrExpression, UriOrExpression } from "./text.ts";

export const Timeout = closed({ after: Duration });
/** A timeout, or the name of one in `use.timeouts`. */
export const TimeoutOrName = textOr(z.string(), Timeout);

export const ErrorDefinition = closed({
  type: UriOrExpression,
  status: Integer,
  instance: PointerOrExpression.optional(),
  title: z.string().optional(),
  detail: z.string().optional(),
});

/** What an error must have to be caught: static values only. */
export const ErrorFilter = notEmpty(
  open({
    type: z.string().optional(),
    status: Integer.optional(),
    instance: z.string().optional(),
    title: z.string().optional(),
    detail: z.string().optional(),
  }),
);

export const RetryPolicy = closed({
  when: z.string().optional(),
  exceptWhen: z.string().optional(),
  delay: Duration.optional(),
  backoff: exactlyOneOf(closed({ constant: AnyObject.optional(), exponential: AnyObject.optional(), linear: AnyObject.optional() }), [
    "constant",
    "exponential",
    "linear",
  ]).optional(),
  limit: closed({
    attempt: closed({ count: Integer.optional(), duration: Duration.optional() }).optional(),
    duration: Duration.optional(),
  }).optional(),
  jitter: closed({ from: Duration, to: Duration }).optional(),
});
