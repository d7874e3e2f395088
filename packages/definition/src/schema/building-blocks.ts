import { z } from "zod";

/**
 * Objects that know all their keys. Their error for unknown keys lists the known ones, one a line behind `KNOWN_KEYS`, so that
 * `messages.ts` can name the nearest of them: zod's issue itself does not tell.
 */
export function closed<const Shape extends z.core.$ZodShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const known = KNOWN_KEYS + Object.keys(shape).join("\n");
  return z.strictObject(shape, { error: (issue) => (issue.code === "unrecognized_keys" ? known : undefined) });
}
export const KNOWN_KEYS = "known keys:\n";

/** Objects where the schema names some keys and lets others through. */
export function open<const Shape extends z.core.$ZodShape>(shape: Shape): z.ZodObject<Shape, z.core.$loose> {
  return z.looseObject(shape);
}

const NameMap = z.core.$constructor<z.ZodObject>("TuttiNameMap", (instance, definition) => {
  z.ZodObject.init(instance, definition as z.core.$ZodObjectDef as never);
  const parse = instance._zod.parse.bind(instance._zod);
  instance._zod.parse = (payload, context) => {
    if (!hasKey(payload.value, "__proto__")) return parse(payload, context);
    payload.issues.push({
      code: "custom",
      message: "`__proto__` cannot be a name here.",
      input: payload.value,
      inst: instance,
      params: { whole: true },
    });
    return payload;
  };
});

/**
 * A mapping of names to values of one kind. It is an object with a catch-all, not a record: a record wants plain objects by their
 * constructor, which a key named `constructor` is enough to break. zod never looks at an entry `__proto__`, so such a name is refused.
 */
export function mapOf<Value extends z.ZodType>(value: Value): z.ZodObject<Record<never, never>, z.core.$catchall<Value>> {
  // The class above adds no property to the one that it extends.
  return new NameMap(z.object({}).catchall(value)._zod.def as never) as unknown as z.ZodObject<
    Record<never, never>,
    z.core.$catchall<Value>
  >;
}

/** Free data in the form of an object. */
export const AnyObject = z.looseObject({});

/** A mapping with exactly one entry: how the language writes a named item of a list. */
export function namedItem<Value extends z.ZodType>(value: Value, what: string): z.ZodObject<Record<never, never>, z.core.$catchall<Value>> {
  return mapOf(value)
    .superRefine((item, context) => {
      const count = Object.keys(item).length;
      if (count !== 1)
        context.addIssue({ code: "custom", message: `Each ${what} is a mapping with exactly one name; this one has ${count}.` });
    })
    .meta({ minProperties: 1, maxProperties: 1 });
}

/** `schema` where exactly one of `keys` must be there; each of them is declared optional in it. */
export function exactlyOneOf<Schema extends z.ZodObject>(schema: Schema, keys: readonly string[]): Schema {
  return schema
    .superRefine((value, context) => {
      const present = keys.filter((key) => Object.hasOwn(value as object, key));
      if (present.length === 1) return;
      const names = keys.map((key) => `\`${key}\``).join(", ");
      context.addIssue({
        code: "custom",
        message: present.length === 0 ? `needs one of ${names}` : `takes only one of ${names}; here are ${present.length}`,
        params: { ofParent: true },
      });
    })
    .meta({ oneOf: keys.map((key) => ({ required: [key] })) });
}

/** A whole number. Not zod's own integer: that ends at 2^53, the language's schema does not. */
export const Integer = z
  .number()
  .refine((value) => Number.isInteger(value), { error: "must be a whole number" })
  .meta({ type: "integer" });

/** At least one entry. */
export function notEmpty<Schema extends z.ZodObject>(schema: Schema): Schema {
  return schema.refine((value) => Object.keys(value as object).length > 0, { error: "must not be empty" }).meta({ minProperties: 1 });
}

interface ChoiceDefinition extends z.core.$ZodUnionDef {
  readonly select: (value: unknown) => number | string;
}

/** A union whose one branch is chosen before any is tried. */
const Choice = z.core.$constructor<z.ZodUnion>("TuttiChoice", (instance, definition) => {
  z.ZodUnion.init(instance, definition);
  const { options, select } = definition as ChoiceDefinition;
  instance._zod.parse = (payload, context) => {
    const chosen = select(payload.value);
    if (typeof chosen !== "string") {
      const option = options[chosen];
      if (option !== undefined) return option._zod.run(payload, context);
    }
    payload.issues.push({ code: "custom", message: String(chosen), input: payload.value, inst: instance, params: { ofParent: true } });
    return payload;
  };
});

/**
 * A union where `select` decides by the value which option it is meant to be (its index), or answers with what is wrong when it is none.
 *
 * An ordinary union tries all options: an author with a typing error in a call would read what is wrong with it as each of the 18 tasks,
 * and a list of tasks in a `do`, tried as `do` and as `for`, would cost 2^depth.
 */
export function choice<const Options extends readonly z.ZodType[]>(
  options: Options,
  select: (value: unknown) => number | string,
): z.ZodUnion<Options> {
  // The constructor's type has no place for our `select`; the class above reads it back.
  return new Choice({ type: "union", options, select } as unknown as z.core.$ZodUnionDef) as unknown as z.ZodUnion<Options>;
}

/** Text in one form or an object in another: the choice that the language offers most. */
export function textOr<Text extends z.ZodType, Other extends z.ZodType>(text: Text, other: Other): z.ZodUnion<readonly [Text, Other]> {
  return choice([text, other], (value) => (typeof value === "string" ? 0 : 1));
}

/** Whether `value` is an object that has `key` itself. */
export function hasKey(value: unknown, key: string): boolean {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key);
}
