import type { Json } from "@tutti/model";
import type { z } from "zod";
import type { ProviderAccess } from "./provider.ts";

/** A kind of thing that a connector makes in its target: how to know, read and list one. All of it only reads. */
export interface ResourceType {
  readonly title: string;
  /** What `read` and `list` give: what a person would compare, and nothing that changes by itself (times of change, counters). */
  readonly schema: z.ZodType;
  /** The id of a resource, unique within its provider and stable while it exists. */
  id(resource: Json): string;
  /** The token of the call that made it, when the target holds one: whose it is. */
  token?(resource: Json): string | undefined;
  /** The resource, or undefined when it is not there. An unreachable target throws: it is never taken for absence. */
  read(id: string, access: ProviderAccess): Promise<Json | undefined>;
  /** All there are, also those that others made. */
  list(access: ProviderAccess): Promise<readonly Json[]>;
}
