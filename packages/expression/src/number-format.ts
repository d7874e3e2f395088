/**
 * A number as jq prints it: the shortest digits that read back as the same double, in exponential notation from 1e17 up (fewer
 * digits reach it later) and from 1e-5 down, with a sign and at least two digits in the exponent.
 */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return "null";
  if (!Number.isFinite(value)) return formatNumber(value < 0 ? -Number.MAX_VALUE : Number.MAX_VALUE);
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  if (Number.isInteger(value) && Math.abs(value) < 1e17) return String(value);
  const [mantissa, exponent] = value.toExponential().split("e") as [string, string];
  const digits = mantissa.replace(/^-/, "").replace(".", "");
  const sign = value < 0 ? "-" : "";
  const point = Number(exponent) + 1;
  // Beyond this many zeros jq's printer (David Gay's g_fmt with wider bounds) changes to exponents.
  if (point <= -4 || point > digits.length + 15) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : "";
    const power = Math.abs(point - 1)
      .toString()
      .padStart(2, "0");
    return `${sign}${digits[0]}${fraction}e${point - 1 < 0 ? "-" : "+"}${power}`;
  }
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  if (point >= digits.length) return sign + digits + "0".repeat(point - digits.length);
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}
