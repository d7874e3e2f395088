/**
 * Whether an effect of the attempt breaks the law that an effect happens once per token, given the attempts of the token that had it before.
 *
 * One thing excuses it: a person said of the earlier of two attempts, or of one between them, that nothing had happened, and let the task fail. Who
 * has that task run again makes the next attempt under the same token. Whether what the person said was true nobody but the world knows; here somebody
 * says anything.
 */
export function isTwice(attempt: number, earlier: readonly number[], denied: readonly number[]): boolean {
  return earlier.some((other) => {
    const [first, last] = other < attempt ? [other, attempt] : [attempt, other];
    return !denied.some((one) => one >= first && one < last);
  });
}
