import type { RunStatus, TaskStatus } from "../run-status.ts";

type Paint = (text: string) => string;

/** Colours by meaning. Without colour every one of them returns its text. */
export interface Style {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly good: Paint;
  readonly bad: Paint;
  readonly active: Paint;
  readonly attention: Paint;
}

const CODES = { bold: [1, 22], dim: [2, 22], good: [32, 39], bad: [31, 39], active: [36, 39], attention: [33, 39] } as const;

export function createStyle(isColour: boolean): Style {
  const paint = ([on, off]: readonly [number, number]): Paint =>
    isColour ? (text) => (text === "" ? "" : `\u001b[${on}m${text}\u001b[${off}m`) : (text) => text;
  return {
    bold: paint(CODES.bold),
    dim: paint(CODES.dim),
    good: paint(CODES.good),
    bad: paint(CODES.bad),
    active: paint(CODES.active),
    attention: paint(CODES.attention),
  };
}

/** One sign per state, so that nothing is said by colour alone. */
export const TASK_SIGNS: Readonly<Record<TaskStatus, string>> = {
  running: "●",
  waiting: "○",
  held: "‖",
  "in-doubt": "?",
  failed: "✗",
  completed: "✓",
  compensated: "↶",
  skipped: "-",
  cancelled: "×",
};

export function paintTask(style: Style, status: TaskStatus): Paint {
  switch (status) {
    case "completed":
      return style.good;
    case "failed":
      return style.bad;
    case "running":
      return style.active;
    case "waiting":
    case "held":
    case "in-doubt":
      return style.attention;
    case "compensated":
    case "skipped":
    case "cancelled":
      return style.dim;
  }
}

export function paintRun(style: Style, status: RunStatus): Paint {
  switch (status) {
    case "completed":
      return style.good;
    case "faulted":
    case "quarantined":
      return style.bad;
    case "running":
      return style.active;
    case "waiting":
    case "suspended":
      return style.attention;
    case "cancelled":
      return style.dim;
  }
}
