import { single } from "../code.ts";
import { COLLECTIONS } from "./collections.ts";
import { CONTROL } from "./control.ts";
import { DATES } from "./dates.ts";
import type { Builtin } from "./define.ts";
import { MATH } from "./math.ts";
import { PATHS } from "./path-functions.ts";
import { REGEX } from "./regex-functions.ts";
import { STREAMS } from "./streams.ts";
import { STRINGS } from "./strings.ts";

/** Every builtin, by name and arity. A Map, so that no name of the host's objects is one by accident. */
export const BUILTINS: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ...[CONTROL, PATHS, COLLECTIONS, STRINGS, MATH, REGEX, DATES, STREAMS].flatMap((table) => Object.entries(table)),
  ["builtins/0", () => single(() => [...BUILTINS.keys()], Number.POSITIVE_INFINITY)],
]);
