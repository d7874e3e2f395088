import { z } from "zod";
import type { Json, JsonObject } from "./json.ts";

/** A CloudEvent 1.0 in the JSON format; extension attributes are further members. Source: CloudEvents 1.0.2, section 3. */
export interface CloudEvent extends JsonObject {
  readonly specversion: "1.0";
  readonly id: string;
  readonly source: string;
  readonly type: string;
}

const Attribute = z.string().min(1);

/** Accepts events from outside; unknown attributes are kept as extensions. */
export const CloudEventSchema = z
  .object({
    specversion: z.literal("1.0").default("1.0"),
    id: Attribute,
    source: Attribute,
    type: Attribute,
    time: z.iso.datetime({ offset: true }).optional(),
    subject: Attribute.optional(),
    datacontenttype: Attribute.optional(),
    dataschema: Attribute.optional(),
    data: z.custom<Json>().optional(),
  })
  .catchall(z.custom<Json>());
