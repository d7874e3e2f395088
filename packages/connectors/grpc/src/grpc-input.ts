import { Authentication, Endpoint } from "@tutti/connector-http";
import { NotEmptyText, z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";

const JsonValue = z.custom<Json>((value) => value !== undefined);

/** The arguments of `call: grpc`. */
export const GrpcInput = z.strictObject({
  proto: z.strictObject({ name: z.string().optional(), endpoint: Endpoint }),
  service: z.strictObject({
    /** With its package: `acme.pets.v1.PetService`. */
    name: NotEmptyText,
    host: NotEmptyText,
    port: z.number().int().min(1).max(65_535).optional(),
    authentication: Authentication.optional(),
  }),
  method: NotEmptyText,
  arguments: z.record(z.string(), JsonValue).default({}),
});
export type GrpcInput = z.infer<typeof GrpcInput>;
