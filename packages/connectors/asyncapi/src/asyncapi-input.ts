import { Authentication, Endpoint } from "@tutti/connector-http";
import { NotEmptyText, z } from "@tutti/connector-kit";
import { durationMs, type Json } from "@tutti/model";

const JsonValue = z.custom<Json>((value) => value !== undefined);
const JsonMap = z.record(z.string(), JsonValue);

const Duration = JsonValue.refine((value) => durationMs(value) !== undefined, "is a duration such as PT30S").transform(
  (value) => durationMs(value) ?? 0,
);

/** The arguments of `call: asyncapi`. Expressions over messages stand in it as their text: they are asked by name, never evaluated here. */
export const AsyncapiInput = z
  .strictObject({
    document: z.strictObject({ name: z.string().optional(), endpoint: Endpoint }),
    channel: NotEmptyText.optional(),
    operation: NotEmptyText.optional(),
    server: z.strictObject({ name: NotEmptyText, variables: JsonMap.default({}) }).optional(),
    protocol: z.string().optional(),
    message: z.strictObject({ payload: JsonValue.optional(), headers: JsonMap.default({}) }).optional(),
    subscription: z
      .strictObject({
        filter: z.string().optional(),
        consume: z.strictObject({
          for: Duration.optional(),
          amount: z.number().int().min(0).optional(),
          while: z.string().optional(),
          until: z.string().optional(),
        }),
      })
      .optional(),
    authentication: Authentication.optional(),
  })
  .refine((input) => (input.message === undefined) !== (input.subscription === undefined), "has either message or subscription")
  .refine((input) => (input.channel === undefined) !== (input.operation === undefined), "has either operation or channel");
export type AsyncapiInput = z.infer<typeof AsyncapiInput>;
export type Subscription = NonNullable<AsyncapiInput["subscription"]>;
export type Outbound = NonNullable<AsyncapiInput["message"]>;
