import type { Json } from "@tutti/model";
import type { Random } from "@tutti/testkit";

/** A law that an input has broken: `law` is the same for the same kind of mistake, `message` shows this one. */
export interface Violation {
  readonly law: string;
  readonly message: string;
}

export type Verdict = Violation | undefined;

/**
 * One function, or a few that belong together, that take what others wrote, and what has to hold of them for every input.
 *
 * Inputs are JSON, so that they can be shown and made smaller; bytes travel as text of one character a byte (`latin1`).
 */
export interface Target<Input extends Json = Json> {
  readonly name: string;
  /** What holds of every input, in one line. */
  readonly law: string;
  /** The fault that `open(true)` plants, in one line. */
  readonly control: string;
  /** How much of the inputs that are asked for it gets, where one costs far more than elsewhere; all without it. */
  readonly share?: number;
  /** The input that `random` stands for: the same for the same seed. */
  make(random: Random): Input;
  /** Gets the function under test ready, once a thread; `isSabotaged` plants a fault that the laws must notice. */
  open(isSabotaged: boolean): Promise<OpenTarget<Input>>;
}

export interface OpenTarget<Input extends Json = Json> {
  /** What law the input breaks. What it throws is a violation too. */
  check(input: Input): Verdict | Promise<Verdict>;
  /** Judges many at once, in their order, where one at a time would cost too much. */
  checkAll?(inputs: readonly Input[]): Promise<readonly Verdict[]>;
  /** How many inputs are under way at a time, where a check waits for something; 1 without it. */
  readonly concurrency?: number;
  close?(): Promise<void>;
}

/** A broken law. */
export function broken(law: string, message: string): Violation {
  return { law, message };
}
