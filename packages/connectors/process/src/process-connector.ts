import { tmpdir } from "node:os";
import { isAbsolute } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type Attempt,
  type Connector,
  ConnectorError,
  defineConnector,
  fileWithin,
  OutsideDirectoryError,
  parseInput,
  z,
} from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { childEnvironment } from "./child-environment.ts";
import { findShell, type Interpreter, interpreterOf, isScriptLanguage, SCRIPT_LANGUAGES } from "./interpreter.ts";
import { sweepLeftFiles } from "./left-files.ts";
import { endProcessesOf } from "./left-processes.ts";
import { type ProcessReturn, type ProcessSettings, ScriptInput, type ScriptSettings, ShellInput } from "./process-input.ts";
import { beforeStart, excerptOf, type ProcessEnd, type ProcessPlan, runProcess, startDetached } from "./run-process.ts";
import { ProcessStarter } from "./process-starter.ts";
import { Workspace } from "./workspace.ts";

export interface ProcessConnectorOptions {
  /** Tutti's own environment, of which a child gets the harmless part. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Who starts the processes; one for all connectors of this process unless given. */
  readonly starter?: ProcessStarter;
}

const sharedStarter = new ProcessStarter();

/** Processes at the same time: each costs tens of MiB, and a fork of a thousand tasks must not take the machine down. */
const CONCURRENCY_MAX = 64;

/** The calls `run.shell` and `run.script` of the workflow language: programs on the machine that runs Tutti. */
export function processConnector(options: ProcessConnectorOptions = {}): Connector {
  const own: Own = { environment: options.environment ?? process.env, starter: options.starter ?? sharedStarter };
  const shell = findShell();
  let swept: Promise<void> | undefined;
  /** Once, before the first process: tidying up that fails is no reason not to start it. */
  const sweepOnce = (): Promise<void> => (swept ??= sweepLeftFiles().catch(() => {}));
  const common = {
    output: z.custom<Json>(),
    effect: "unsafe",
    // A process of a dead Tutti is ended by `quiesce` before its outcome is decided: nothing goes on out of sight.
    requestTimeoutMs: 0,
    settleMs: 0,
    concurrencyMax: CONCURRENCY_MAX,
    quiesce: endProcessesOf,
  } as const;
  return defineConnector({
    name: "process",
    version: "1.0.0",
    functions: {
      "run.shell": {
        ...common,
        title: "Run a shell command",
        input: ShellInput,
        run: async (input, attempt) => {
          const { shell: settings, ...how } = parseInput(ShellInput, input);
          await sweepOnce();
          return carryOut({ interpreter: shell, code: settings.command, file: undefined, settings, ...how }, own, attempt);
        },
      },
      "run.script": {
        ...common,
        title: "Run a script",
        input: ScriptInput,
        run: async (input, attempt) => {
          const { script, ...how } = parseInput(ScriptInput, input);
          await sweepOnce();
          return carryOut({ ...(await programOf(script, attempt.baseDirectory)), settings: script, ...how }, own, attempt);
        },
      },
    },
  });
}

/** Code to be handed over in a file, or a file that is there already. */
type ProgramSource = { readonly code: string; readonly file: undefined } | { readonly code: undefined; readonly file: string };
type Program = ProgramSource & { readonly interpreter: Interpreter };

type ProcessTask = Program & { readonly settings: ProcessSettings; readonly await: boolean; readonly return: ProcessReturn };

/** What the tasks have from Tutti's own process. */
interface Own {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly starter: ProcessStarter;
}

async function carryOut(task: ProcessTask, own: Own, attempt: Attempt): Promise<Json> {
  const workspace = await beforeStart(Workspace.create(attempt.token));
  let isOver = true;
  try {
    const plan = await beforeStart(planOf(task, { own: own.environment, attempt, workspace }));
    if (!task.await) {
      await startDetached(plan, { workspace, starter: own.starter, attempt });
      isOver = false;
      return attempt.taskInput;
    }
    return shape(await runProcess(plan, { workspace, starter: own.starter, attempt }), task.return, attempt);
  } finally {
    if (isOver) await workspace.remove();
  }
}

async function planOf(
  task: ProcessTask,
  context: { readonly own: Readonly<Record<string, string | undefined>>; readonly attempt: Attempt; readonly workspace: Workspace },
): Promise<ProcessPlan> {
  const { interpreter, settings } = task;
  // An empty package.json keeps Node from taking over the settings of whatever lies above the temporary directory.
  if (task.code !== undefined && interpreter.fileName.endsWith(".js")) await context.workspace.write("package.json", "{}");
  const file = task.file ?? (await context.workspace.write(interpreter.fileName, task.code));
  const { stdin } = settings;
  return {
    command: interpreter.command,
    arguments: [...interpreter.options, file, ...settings.arguments.map(String)],
    environment: childEnvironment(context.own, settings.environment, context.attempt),
    directory: context.attempt.baseDirectory ?? tmpdir(),
    stdin: stdin === undefined || stdin === null ? undefined : typeof stdin === "string" ? stdin : JSON.stringify(stdin),
  };
}

async function programOf(script: ScriptSettings, baseDirectory: string | undefined): Promise<Program> {
  if (!isScriptLanguage(script.language)) {
    throw configurationError(`Scripts in ${script.language} can't be run here; there are ${SCRIPT_LANGUAGES.join(", ")}.`);
  }
  const interpreter = interpreterOf(script.language);
  if (script.code !== undefined) return { interpreter, code: script.code, file: undefined };
  const endpoint = script.source?.endpoint ?? "";
  return { interpreter, code: undefined, file: await sourceFile(typeof endpoint === "string" ? endpoint : endpoint.uri, baseDirectory) };
}

/** A script in a file runs where it lies, so that it finds its neighbours. A relative one lies in the workflow's directory. */
async function sourceFile(uri: string, baseDirectory: string | undefined): Promise<string> {
  if (URL.canParse(uri)) {
    const url = new URL(uri);
    if (url.protocol === "file:") return fileURLToPath(url);
    throw configurationError(`A script's source is a file, not ${url.protocol}//…: bring it with the workflow.`);
  }
  if (isAbsolute(uri)) return uri;
  if (baseDirectory === undefined) throw configurationError(`"${uri}" is relative, and this workflow came without a directory.`);
  try {
    return await fileWithin([baseDirectory], uri);
  } catch (cause) {
    if (cause instanceof OutsideDirectoryError)
      throw configurationError(`The script ${cause.message}: bring it with the workflow, or name it by a whole path.`);
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT")
      throw configurationError(`There is no script "${uri}" in ${baseDirectory}: put it there, or correct the name in the document.`);
    throw configurationError(`The script "${uri}" can't be used: ${cause instanceof Error ? cause.message : String(cause)}.`);
  }
}

function configurationError(message: string): ConnectorError {
  return new ConnectorError(message, { kind: "configuration", outcome: "never-began" });
}

/** Signals that a process gets without anybody having meant it. */
const SIGNAL_CAUSES: Readonly<Record<string, string>> = {
  SIGKILL: ", which is not Tutti's doing: a person's, or the system's for want of memory (dmesg says it)",
  SIGXCPU: ": it used more processor time than it may",
  SIGXFSZ: ": it wrote a larger file than it may",
};

/** The output asked for. A code other than 0 is an error, unless the code itself was asked for. */
function shape(end: ProcessEnd, wanted: ProcessReturn, attempt: Attempt): Json {
  if (wanted === "code") return end.code;
  if (wanted === "all") return { code: end.code, stdout: end.stdout, stderr: end.stderr };
  if (end.code !== 0) {
    const how = end.signal === undefined ? `ended with code ${end.code}` : `was ended by ${end.signal}${SIGNAL_CAUSES[end.signal] ?? ""}`;
    throw new ConnectorError(`The process ${how}.`, {
      kind: "runtime",
      outcome: "answered",
      status: 500,
      detail: { code: end.code, stderr: excerptOf(attempt.masked(end.stderr)) },
    });
  }
  return wanted === "none" ? null : end[wanted];
}
