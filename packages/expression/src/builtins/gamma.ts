/** Lanczos' approximation with g = 7 and nine terms: about 15 digits over the whole range. */
const LANCZOS_G = 7;
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
  -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];
// Beyond 170! the doubles end; factorials up to here are exact or correctly rounded when multiplied out.
const FACTORIAL_MAX = 171;

/** The gamma function. */
export function gamma(x: number): number {
  if (Number.isInteger(x)) {
    if (x <= 0) return Number.NaN;
    if (x > FACTORIAL_MAX) return Number.POSITIVE_INFINITY;
    let product = 1;
    for (let factor = 2; factor < x; factor++) product *= factor;
    return product;
  }
  if (x < 0.5) return Math.PI / (Math.sin(Math.PI * x) * gamma(1 - x));
  if (x > FACTORIAL_MAX + 1) return Number.POSITIVE_INFINITY;
  const { base, series } = lanczos(x - 1);
  return Math.sqrt(2 * Math.PI) * base ** (x - 0.5) * Math.exp(-base) * series;
}

/** The logarithm of the gamma function's magnitude. */
export function logGamma(x: number): number {
  if (Number.isInteger(x) && x <= 0) return Number.POSITIVE_INFINITY;
  if (!Number.isFinite(x)) return Math.abs(x);
  if (x === 1 || x === 2) return 0;
  if (Number.isInteger(x) && x < FACTORIAL_MAX) return Math.log(gamma(x));
  if (x < 0.5) return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * x))) - logGamma(1 - x);
  const { base, series } = lanczos(x - 1);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(base) - base + Math.log(series);
}

function lanczos(x: number): { base: number; series: number } {
  const series = LANCZOS.reduce((sum, coefficient, term) => (term === 0 ? coefficient : sum + coefficient / (x + term)), 0);
  return { base: x + LANCZOS_G + 0.5, series };
}
