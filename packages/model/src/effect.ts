/**
 * What may be done when it is unknown whether an attempt had its effect:
 * `read` runs again, `idempotent` runs again with the same token, `findable` is looked up by its token, `unsafe` waits for a person.
 */
export const EFFECT_CLASSES = ["read", "idempotent", "findable", "unsafe"] as const;
export type EffectClass = (typeof EFFECT_CLASSES)[number];
