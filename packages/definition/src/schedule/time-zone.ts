/** How far local time is ahead of UTC, by instant. */
export interface TimeZone {
  /** Its IANA name. */
  readonly name: string;
  /** Milliseconds that local time is ahead of UTC at the instant. */
  offsetMsAt(atMs: number): number;
}

/** Names of the IANA data base; offsets such as `+02:00` are none. */
const NAME = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/;
const UTC: TimeZone = { name: "UTC", offsetMsAt: () => 0 };

/** The time zone of the IANA name, from the data base that Node brings along; undefined when it knows none of this name. */
export function timeZone(name: string): TimeZone | undefined {
  if (name === "UTC") return UTC;
  if (!NAME.test(name)) return undefined;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      calendar: "gregory",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch {
    return undefined;
  }
  return {
    name,
    offsetMsAt: (atMs) => {
      const part = new Map(format.formatToParts(atMs).map(({ type, value }) => [type, Number(value)]));
      const read = (type: Intl.DateTimeFormatPartTypes): number => part.get(type) ?? 0;
      const localMs = Date.UTC(read("year"), read("month") - 1, read("day"), read("hour"), read("minute"), read("second"));
      return localMs - Math.floor(atMs / 1000) * 1000;
    },
  };
}

/** All names that can be given, for suggestions. */
export function timeZoneNames(): readonly string[] {
  return Intl.supportedValuesOf("timeZone");
}
