import { z } from "zod";
import { AnyObject, choice, closed, hasKey, namedItem, notEmpty, open, textOr } from "./building-blocks.ts";
import { callTask } from "./call.ts";
import { EventReadMode, EventStrategy, EventToEmit, subscriptionIterator } from "./event.ts";
import { ErrorDefinition, ErrorFilter, RetryPolicy } from "./fault.ts";
import { RunConfiguration } from "./run.ts";
import { FlowDirective, taskBase } from "./task-base.ts";
import { Duration } from "./text.ts";

/** One entry of a list of tasks: its name and the task. An interface, since the type of a task contains lists of tasks. */
export interface TaskItemDocument {
  readonly [name: string]: TaskDocument;
}
export type TaskListSchema = z.ZodType<readonly TaskItemDocument[]>;

/** Where the schema closes its circle: tasks contain lists of tasks. */
export const TaskList: TaskListSchema = z.lazy((): TaskListSchema => z.array(namedItem(Task, "task")));

const DoTask = closed({ ...taskBase, do: TaskList });

const ForkTask = closed({ ...taskBase, fork: closed({ branches: TaskList, compete: z.boolean().optional() }) });

const EmitTask = closed({ ...taskBase, emit: closed({ event: open({ with: EventToEmit.optional() }) }) });

const ForTask = closed({
  ...taskBase,
  for: closed({ each: z.string().optional(), in: textOr(z.string(), z.array(AnyObject)), at: z.string().optional() }),
  while: z.string().optional(),
  do: TaskList,
});

const ListenTask = closed({
  ...taskBase,
  listen: closed({ to: EventStrategy, read: EventReadMode.optional() }),
  foreach: subscriptionIterator(TaskList).optional(),
});

const RaiseTask = closed({ ...taskBase, raise: closed({ error: textOr(z.string(), ErrorDefinition) }) });

const RunTask = closed({ ...taskBase, run: RunConfiguration });

const SetTask = closed({ ...taskBase, set: textOr(z.string(), notEmpty(AnyObject)) });

const SwitchTask = closed({
  ...taskBase,
  switch: z
    .array(namedItem(closed({ when: z.string().optional(), then: FlowDirective }), "case"))
    .refine((cases) => cases.length > 0, { error: "must have at least one case" })
    .meta({ minItems: 1 }),
});

const TryTask = closed({
  ...taskBase,
  try: TaskList,
  catch: closed({
    errors: open({ with: ErrorFilter.optional() }).optional(),
    as: z.string().optional(),
    when: z.string().optional(),
    exceptWhen: z.string().optional(),
    retry: textOr(z.string(), RetryPolicy).optional(),
    do: TaskList.optional(),
    then: FlowDirective.optional(),
  }),
});

const WaitTask = closed({ ...taskBase, wait: Duration });

/** The key that says what a task is. `for` stands before `do`: a loop has both. */
export const TASK_KEYS = ["call", "for", "do", "fork", "emit", "listen", "raise", "run", "set", "switch", "try", "wait"] as const;
export type TaskKey = (typeof TASK_KEYS)[number];

/** The kind of a task by the key that it has, undefined when it has none. */
export function taskKeyOf(task: unknown): TaskKey | undefined {
  return TASK_KEYS.find((key) => hasKey(task, key));
}

export const Task = choice(
  [callTask(TaskList), ForTask, DoTask, ForkTask, EmitTask, ListenTask, RaiseTask, RunTask, SetTask, SwitchTask, TryTask, WaitTask],
  (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return "must be a task: an object with a key such as `call`, `set` or `do`";
    const key = taskKeyOf(value);
    return key === undefined ? `needs one of ${TASK_KEYS.map((name) => `\`${name}\``).join(", ")}` : TASK_KEYS.indexOf(key);
  },
);
export type TaskDocument = z.infer<typeof Task>;
