import type { Json } from "@tutti/model";

/** What a call would do; see `ConnectorFunction.preview`. */
export interface EffectPreview {
  /** In the order in which they would happen. Empty when nothing would change, for what is wanted is there already. */
  readonly effects: readonly PreviewedEffect[];
  /** The output as far as it is known before; members that are not known are left out. Undefined when nothing of it is. */
  readonly output: Json | undefined;
}

export interface PreviewedEffect {
  /** `send`: it goes to people or systems outside (a mail), and nothing lists it afterwards. */
  readonly kind: "create" | "change" | "delete" | "read" | "send";
  /** A resource type of the connector; what is sent, in a word, where the kind is `send`. */
  readonly resource: string;
  /** What is touched, by the id that the resource type gives it, or to whom it is sent; left out when the target gives the id to what it makes. */
  readonly name?: string;
  /** The resource before and after, where known. */
  readonly before?: Json;
  readonly after?: Json;
  /** Whether the function's undo would bring back what was. */
  readonly isReversible: boolean;
}
