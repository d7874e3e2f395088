/** A semantic version taken apart; undefined members mean that the text is none. */
interface Version {
  readonly core: readonly bigint[];
  readonly preRelease: readonly string[];
}

const PATTERN = /^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

/**
 * Orders two versions by semantic versioning's precedence: negative when `left` is lower. A pre-release is lower than its release. What is
 * no semantic version is lower than every one that is. Equal precedence (build metadata) falls back to the text, so the order is total.
 */
export function compareVersions(left: string, right: string): number {
  const a = parse(left);
  const b = parse(right);
  if (a === undefined || b === undefined) {
    if (a !== undefined) return 1;
    if (b !== undefined) return -1;
    return compareTexts(left, right);
  }
  return compareCores(a, b) || comparePreReleases(a.preRelease, b.preRelease) || compareTexts(left, right);
}

/** The highest of `versions`, undefined when there is none. */
export function highestVersion(versions: readonly string[]): string | undefined {
  return versions.reduce<string | undefined>(
    (best, version) => (best === undefined || compareVersions(version, best) > 0 ? version : best),
    undefined,
  );
}

function parse(text: string): Version | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  return { core: [match[1], match[2], match[3]].map((part) => BigInt(part ?? "0")), preRelease: match[4]?.split(".") ?? [] };
}

function compareCores(a: Version, b: Version): number {
  for (const [index, part] of a.core.entries()) {
    const other = b.core[index] ?? 0n;
    if (part !== other) return part < other ? -1 : 1;
  }
  return 0;
}

function comparePreReleases(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return Math.sign(b.length - a.length);
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const order = compareIdentifiers(a[index] ?? "", b[index] ?? "");
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Numbers compare as numbers and are lower than words. */
function compareIdentifiers(a: string, b: string): number {
  const isNumberA = /^\d+$/.test(a);
  const isNumberB = /^\d+$/.test(b);
  if (isNumberA && isNumberB) return BigInt(a) === BigInt(b) ? 0 : BigInt(a) < BigInt(b) ? -1 : 1;
  if (isNumberA !== isNumberB) return isNumberA ? -1 : 1;
  return compareTexts(a, b);
}

/** Code unit order: the same on every machine, unlike a locale's. */
function compareTexts(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
