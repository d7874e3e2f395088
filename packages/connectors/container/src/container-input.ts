import { z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";

const Scalar = z.union([z.string(), z.number(), z.boolean()]);
const DurationFields = z.strictObject({
  days: z.number().min(0).optional(),
  hours: z.number().min(0).optional(),
  minutes: z.number().min(0).optional(),
  seconds: z.number().min(0).optional(),
  milliseconds: z.number().min(0).optional(),
});
const Duration = z.union([
  DurationFields,
  z.string().regex(/^P(?!$)(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?$/, "is a duration such as PT30M"),
]);

/** The task's rendered `run` object. */
export const ContainerInput = z.strictObject({
  container: z.strictObject({
    image: z.string().regex(/^[a-z0-9](?:[a-z0-9_:@-]|[./](?![./])){0,254}$/i, "is the name of an image"),
    name: z
      .string()
      .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/, "is a container's name: letters, digits, `_`, `.` and `-`")
      .optional(),
    command: z.string().optional(),
    arguments: z.array(Scalar).default([]),
    ports: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
    volumes: z.record(z.string(), z.string()).default({}),
    environment: z.record(z.string().regex(/^[^=\0]+$/, "is a name without ="), z.union([Scalar, z.null()])).default({}),
    /** Text as it is, anything else as JSON. */
    stdin: z.custom<Json>((value) => value !== undefined).optional(),
    lifetime: z
      .strictObject({ cleanup: z.enum(["always", "never", "eventually"]), after: Duration.optional() })
      .default({ cleanup: "never" }),
    pullPolicy: z.enum(["ifNotPresent", "always", "never"]).default("ifNotPresent"),
  }),
  await: z.boolean().default(true),
  return: z.enum(["stdout", "stderr", "code", "all", "none"]).default("stdout"),
});
export type ContainerInput = z.infer<typeof ContainerInput>;
export type ContainerSettings = ContainerInput["container"];

const SECOND_MS = 1000;
const UNITS_MS = {
  days: 86_400 * SECOND_MS,
  hours: 3600 * SECOND_MS,
  minutes: 60 * SECOND_MS,
  seconds: SECOND_MS,
  milliseconds: 1,
} as const;
const ISO = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

/** How long after its end a container is removed, in seconds; 0 for `always`. */
export function secondsUntilCleanup(lifetime: ContainerSettings["lifetime"]): number {
  const { after } = lifetime;
  if (after === undefined) return 0;
  if (typeof after === "string") {
    const [, days = 0, hours = 0, minutes = 0, seconds = 0] = ISO.exec(after) ?? [];
    return Number(days) * 86_400 + Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  }
  const { days = 0, hours = 0, minutes = 0, seconds = 0, milliseconds = 0 } = after;
  return (
    (days * UNITS_MS.days +
      hours * UNITS_MS.hours +
      minutes * UNITS_MS.minutes +
      seconds * UNITS_MS.seconds +
      milliseconds * UNITS_MS.milliseconds) /
    SECOND_MS
  );
}

/** What goes to the container's standard input; undefined for none. */
export function stdinOf({ stdin }: Pick<ContainerSettings, "stdin">): string | undefined {
  if (stdin === undefined || stdin === null || stdin === "") return undefined;
  return typeof stdin === "string" ? stdin : JSON.stringify(stdin);
}
