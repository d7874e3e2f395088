/** Cases of jq's suite that need what expressions leave out on purpose. They don't count as usable. */
export const EXCLUDED_CASES: readonly { readonly pattern: RegExp; readonly reason: string }[] = [
  { pattern: /^(?:import|include|module) /, reason: "expressions have no modules" },
  { pattern: /^modulemeta/, reason: "expressions have no modules" },
  { pattern: /^try input catch|^debug$/, reason: "an expression sees nothing but its data and writes nothing" },
];

/** Usable cases that fail, each with its reason. A case that is listed and passes is reported, so the list stays true. */
export const EXPECTED_FAILURES: ReadonlyMap<string, string> = new Map([
  [".[0] | tostring", "numbers are doubles: an integer beyond 2^53 loses its last digits when it is read"],
  [".x | tojson", "numbers are doubles: an integer beyond 2^53 loses its last digits when it is read"],
  ["13911860366432393 == 13911860366432392", "numbers are doubles: both literals are the same one"],
  ['[match(".+?\\\\b")]', "RE2's \\b knows ASCII words only; Oniguruma counts a combining character as part of the word"],
]);
