/** RFC 6901: `pointer` extended by one or more segments. */
export function joinPointer(pointer: string, ...segments: readonly (string | number)[]): string {
  let joined = pointer;
  for (const segment of segments) joined += `/${String(segment).replaceAll("~", "~0").replaceAll("/", "~1")}`;
  return joined;
}

/** The segments of a JSON pointer, unescaped. A pointer without a leading slash counts as empty: the whole document. */
export function pointerSegments(pointer: string): string[] {
  if (!pointer.startsWith("/")) return [];
  return pointer
    .slice(1)
    .split("/")
    .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));
}
