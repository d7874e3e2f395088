import type { JsonObject } from "./json.ts";

/** A CloudEvent 1.0 in the JSON format; extension attributes are further members. Source: CloudEvents 1.0.2, section 3. */
export interface CloudEvent extends JsonObject {
  readonly specversion: "1.0";
  readonly id: string;
  readonly source: string;
  readonly type: string;
}
