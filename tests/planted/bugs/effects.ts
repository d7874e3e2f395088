import type { Bug } from "../bug.ts";

const CALL = "packages/engine/src/call.ts";

/** Attempts, tokens and unknown outcomes: what is done twice, or never, when nobody knows whether it happened. */
export const EFFECT_BUGS: readonly Bug[] = [
  {
    name: "lost-answer-taken-for-not-executed",
    breaks: "An attempt whose connection was lost counts as one that never began.",
    known: "crewAIInc/crewAI#5802: tried again after a timeout, as if nothing had happened",
    edits: [
      {
        file: "packages/runtime/src/attempt-outcome.ts",
        find: `  return { kind: "unknown", reason: "connection", error };`,
        put: `  return { kind: "failed", error, began: false, retryable: true };`,
      },
    ],
    catcher: { by: "simulation", seedsMax: 60 },
  },
  {
    name: "look-up-skipped",
    breaks: "A findable effect of unknown outcome is made again without looking for it.",
    known: "crossplane/crossplane-runtime#283: created again, since nobody had noted that it might be there",
    edits: [
      {
        file: CALL,
        find: `else if (call.effect === "findable") lookUp(machine, task, node);`,
        put: `else if (call.effect === "findable") sendAttempt(machine, task, node, call);`,
      },
    ],
    catcher: { by: "test", file: "packages/engine/src/effects.test.ts" },
  },
  {
    name: "absence-believed-at-once",
    breaks: "A look-up that finds nothing counts, although the request may still be on its way.",
    known: "crossplane/crossplane-runtime#283: the look-up of a service that lags behind finds nothing yet",
    edits: [
      {
        file: CALL,
        find: "if (isUnique || call.lookUpAtMs >= countsFromMs) {",
        put: "if (isUnique || call.lookUpAtMs >= call.sentByMs) {",
      },
    ],
    catcher: { by: "test", file: "packages/engine/src/effects.test.ts" },
  },
  {
    name: "absence-counted-from-the-intent",
    breaks: "A look-up that finds nothing counts some time after the intent, however late the request was sent.",
    known: "ours: an attempt that waited for its turn was made twice",
    edits: [
      {
        file: CALL,
        find: "  call.sentByMs = sentBy(machine, call, fact);\n",
        put: "",
      },
    ],
    catcher: { by: "test", file: "packages/runtime/src/runtime-crash.test.ts", name: "an effect that was made late" },
  },
  {
    name: "doubt-taken-for-failure",
    breaks: "An unsafe call of unknown outcome fails, instead of waiting for a person.",
    known: "what engines without effect classes do: a step that was cut off has failed, and is retried",
    edits: [
      {
        file: CALL,
        find: `      task.error = error;\n      machine.setPhase(task, "in-doubt");`,
        put: `      machine.fail(task, error);`,
      },
    ],
    catcher: { by: "simulation", seedsMax: 30 },
  },
  {
    name: "unsafe-sent-again-after-crash",
    breaks: "What was under way when the process died is sent again, whatever its effect class.",
    known: "crewAIInc/crewAI#5802; what engines without effect classes do after a crash",
    edits: [
      {
        file: "packages/engine/src/summary.ts",
        find: `return call.effect === "read" && call.aborting === undefined;`,
        put: `return call.aborting === undefined;`,
      },
    ],
    catcher: { by: "simulation", seedsMax: 30 },
  },
  {
    name: "stopped-read-sent-again",
    breaks: "A read that had been asked to stop when the process died is sent again, and nobody stops it.",
    known: "ours, mended in 9dd6a68",
    edits: [
      {
        file: "packages/engine/src/summary.ts",
        find: `return call.effect === "read" && call.aborting === undefined;`,
        put: `return call.effect === "read";`,
      },
    ],
    catcher: {
      by: "test",
      file: "packages/runtime/src/runtime-crash.test.ts",
      name: "a read whose time was over when the process died is not sent again",
    },
  },
  {
    name: "token-of-each-attempt",
    breaks: "Each attempt has an idempotency token of its own.",
    known: "crewAIInc/crewAI#5802, stepper-motor/stepper_motor#44: a key that changes with the retry",
    edits: [
      {
        file: CALL,
        find: "  call.attempt++;\n",
        put: "  call.attempt++;\n  if (call.attempt > 1) call.token = deriveKeyedToken(machine.state.tenant, call.token, call.attempt);\n",
      },
    ],
    catcher: { by: "test", file: "packages/engine/src/effects.test.ts" },
  },
  {
    name: "token-without-iteration",
    breaks: "All iterations of a loop share one idempotency token.",
    known: "Coder-s-OG-s/Trajectory-IR#229: a key without the number of the call",
    edits: [
      {
        file: "packages/engine/src/tasks.ts",
        find: 'const iteration = frame?.kind === "loop" || frame?.kind === "listen" ? `[${frame.index}]` : "";',
        put: 'const iteration = "";',
      },
    ],
    catcher: { by: "test", file: "packages/engine/src/" },
  },
  {
    name: "request-before-intent",
    breaks: "A request leaves before the intent of its attempt is stored.",
    known: "crossplane/crossplane-runtime#283: created before it was noted that something will be",
    edits: [
      {
        file: "packages/runtime/src/run-driver.ts",
        find: `if (command.effect === "read" && this.modeOf(run) === "open" && !run.isUnproven) this.dispatcher.start(run, command);`,
        put: `if (this.modeOf(run) === "open" && !run.isUnproven) this.dispatcher.start(run, command);`,
      },
    ],
    catcher: { by: "simulation", seedsMax: 20 },
  },
  {
    name: "loser-forgotten",
    breaks: "The unsafe attempt of a branch that lost a race is forgotten while it is under way.",
    known: "a race of promises as a fork: what the loser had begun is made, and nobody knows of it",
    edits: [
      {
        file: "packages/engine/src/left-behind.ts",
        find: "if (call === undefined || !isEffectOpen(task, call)) return;",
        put: `if (call === undefined || call.effect === "unsafe" || !isEffectOpen(task, call)) return;`,
      },
    ],
    catcher: { by: "test", file: "packages/engine/src/fork.test.ts" },
  },
  {
    name: "older-rules-forgotten",
    breaks: "Expressions of a run that an older version started are read by today's rules when it is replayed.",
    known: "temporalio/sdk-typescript: why each change of what replays is one numbered flag",
    edits: [
      {
        file: "packages/engine/src/evaluate.ts",
        find: "hasOlderRules: !hasFlag(this.#state, EXPRESSIONS_AS_JQ)",
        put: "hasOlderRules: false",
      },
    ],
    catcher: { by: "test", file: "tests/histories" },
  },
  {
    name: "answer-of-earlier-attempt",
    breaks: "The end of an earlier attempt counts as the end of the present one.",
    known: "cadence-workflow/cadence#1214",
    edits: [
      {
        file: CALL,
        find: ` || task.phase !== "running" || call.attempt !== fact.attempt) return false;`,
        put: ` || task.phase !== "running") return false;`,
      },
    ],
    catcher: { by: "test", file: "packages/engine/src/effects.test.ts" },
  },
];
