import { type Attempt, type Connector, ConnectorError, defineConnector, parseInput, z } from "@tutti/connector-kit";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { awaitContainer, type ContainerEnd, Stopped } from "./await-container.ts";
import { Cleaner } from "./cleaner.ts";
import { ContainerInput, stdinOf } from "./container-input.ts";
import { containerPlan, TOKEN_LABEL } from "./container-plan.ts";
import { Containers, type Seen } from "./containers.ts";
import { EngineClient } from "./engine-client.ts";
import { engineSocket } from "./engine-socket.ts";
import { provideImage } from "./pull-image.ts";

export interface ContainerConnectorOptions {
  /** The engine's Unix socket (`unix:///path`); else DOCKER_HOST, else Docker's or Podman's usual places. */
  readonly engine?: string | undefined;
  /** Where DOCKER_HOST is looked for. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** Each holds two connections to the engine and up to 32 MiB of output. */
const CONCURRENCY_MAX = 64;
/** Time for a container to put its things in order after TERM; below the time that a stopped attempt is given. */
const STOP_GRACE_S = 3;
/** Containers of one token: one for each attempt whose outcome was known. More means that somebody else makes them. */
const GENERATIONS_MAX = 1000;

interface Tools {
  readonly engine: EngineClient;
  readonly containers: Containers;
  readonly cleaner: Cleaner;
}

/**
 * The call `run.container` of the workflow language, on a Docker-compatible engine.
 *
 * Class `idempotent`: a container carries the task's token as a label and a name that follows from it, which the engine gives to one container
 * only. An attempt first looks for a container of its token whose outcome is not stored yet, and takes it over, running or ended; so a
 * repetition after a crash starts no second one. Once the outcome is stored (`afterStored`), the container is marked or removed, and an author's
 * retry makes the next one. With `stdin` the class is `unsafe`: half an input can't be told from a whole one.
 */
export function containerConnector(options: ContainerConnectorOptions = {}): Connector {
  const bySocket = new Map<string, Tools>();
  const tools = (): Tools => {
    const path = engineSocket(options.engine, options.environment ?? process.env);
    const known = bySocket.get(path);
    if (known !== undefined) return known;
    const engine = new EngineClient(path);
    const containers = new Containers(engine);
    const made = { engine, containers, cleaner: new Cleaner(containers) };
    bySocket.set(path, made);
    return made;
  };
  return defineConnector({
    name: "container",
    version: "1.0.0",
    functions: {
      "run.container": {
        title: "Run a container",
        input: ContainerInput,
        output: z.custom<Json>(),
        effect: (input) => (hasInput(input) ? "unsafe" : "idempotent"),
        // A container goes on out of sight on purpose: it is found again.
        requestTimeoutMs: 0,
        settleMs: 0,
        concurrencyMax: CONCURRENCY_MAX,
        run: async (input, attempt) => carryOut(parseInput(ContainerInput, input), attempt, tools()),
      },
    },
  });
}

function hasInput(input: JsonObject): boolean {
  const container = input["container"];
  return isJsonObject(container) && stdinOf({ stdin: container["stdin"] }) !== undefined;
}

async function carryOut(input: ContainerInput, attempt: Attempt, tools: Tools): Promise<Json> {
  if (attempt.signal.aborted)
    throw new ConnectorError("Stopped before the container was made.", { kind: "timeout", outcome: "never-began" });
  // Before anything is made: what was left to be removed later, by this process or another one.
  await tools.cleaner.sweep();
  await tools.cleaner.untilSettled(attempt.token);
  const { id, written } = await provideContainer(input, attempt, tools);
  // Only from here on: the end of an attempt that came to no container says nothing of the one that an earlier attempt left.
  attempt.afterStored(async () => tools.cleaner.settled(attempt.token));
  if (!input.await) {
    await written;
    return attempt.taskInput;
  }
  try {
    return shape(await awaitContainer(id, { ...tools, attempt }), input.return, attempt);
  } catch (error) {
    if (error instanceof Stopped) throw await ended(id, error, { attempt, tools });
    throw error;
  }
}

interface Started {
  readonly id: string;
  /** Resolves when its standard input has been taken. */
  readonly written: Promise<void>;
}

/** The container of this attempt, started: the one that an attempt of unknown outcome left, or a new one. */
async function provideContainer(input: ContainerInput, attempt: Attempt, tools: Tools): Promise<Started> {
  const { containers } = tools;
  for (let tries = 0; tries < GENERATIONS_MAX; tries += 1) {
    const earlier = await containers.ofToken(attempt.token);
    const left = await unfinished(earlier, containers);
    if (left !== undefined) return takeOver(left, input, { attempt, tools });
    const name = input.container.name ?? `tutti-${attempt.token}-${earlier.length}`;
    await provideImage(input.container, { ...tools, attempt });
    const id = await containers.create(name, containerPlan(input, attempt));
    if (id !== undefined) return startNew(id, input, { attempt, tools });
    // The name is taken: by a request that a dead process had sent (then it is found now), by what is done, or by somebody else.
    const holder = await containers.inspect(name);
    if (holder === undefined) continue;
    if (holder.labels[TOKEN_LABEL] !== attempt.token) {
      throw new ConnectorError(`There is a container with the name ${name} already: choose another name, or remove it.`, {
        kind: "configuration",
        outcome: "never-began",
      });
    }
    // An author's name is one: the next attempt's container takes the place of the one whose outcome is stored.
    if (await containers.isDone(holder.id)) await containers.remove(holder.id);
  }
  throw new ConnectorError("Too many containers carry this task's token; remove them.", { kind: "runtime", outcome: "never-began" });
}

/** The one container of the token whose outcome may not be stored. */
async function unfinished(earlier: readonly Seen[], containers: Containers): Promise<Seen | undefined> {
  const newest = earlier.at(-1);
  return newest === undefined || (await containers.isDone(newest.id)) ? undefined : newest;
}

interface Context {
  readonly attempt: Attempt;
  readonly tools: Tools;
}

async function takeOver(left: Seen, input: ContainerInput, { attempt, tools }: Context): Promise<Started> {
  attempt.log("info", `taking over container ${left.name} (${left.status}) of an earlier attempt; its output follows from the beginning`);
  if (left.status === "created") return startNew(left.id, input, { attempt, tools });
  return { id: left.id, written: Promise.resolve() };
}

async function startNew(id: string, input: ContainerInput, { attempt, tools }: Context): Promise<Started> {
  const { engine, containers } = tools;
  const stdin = stdinOf(input.container);
  let written: Promise<void> = Promise.resolve();
  try {
    if (stdin === undefined) await containers.start(id);
    else ({ written } = await engine.feed(id, stdin, () => containers.start(id)));
  } catch (error) {
    // Refused: it never ran, so nothing is lost with it, and the next attempt begins anew.
    if (error instanceof ConnectorError && error.outcome === "answered") await containers.remove(id);
    throw error;
  }
  attempt.heartbeat();
  attempt.log("info", `started container ${id.slice(0, 12)} of ${input.container.image}`);
  return { id, written };
}

/** Ends what must not run on, and says what is known then. */
async function ended(id: string, stopped: Stopped, { attempt, tools }: Context): Promise<ConnectorError> {
  // The process ends, and its successor finds the container: it may go on.
  const mayGoOn = !stopped.isFlood && attempt.signal.reason instanceof Error && attempt.signal.reason.name === "StopError";
  if (!mayGoOn) {
    await tools.containers.stop(id, STOP_GRACE_S);
    // What it was stopped at is no outcome to be taken over: a later attempt makes its own.
    await tools.cleaner.finish(id);
  }
  return new ConnectorError(
    mayGoOn ? "Tutti stopped while the container ran; it goes on." : `The container was ended: ${stopped.message}.`,
    {
      kind: stopped.isFlood ? "runtime" : "timeout",
      // A flood is the container's own doing and would come again; whatever it did, it has ended.
      outcome: stopped.isFlood ? "answered" : "unknown",
    },
  );
}

/** The end of what a container complained about: that is where the reason stands. */
const EXCERPT_CHARACTERS_MAX = 2048;

/** The output asked for. A code other than 0 is an error, unless the code itself was asked for. */
function shape(end: ContainerEnd, wanted: ContainerInput["return"], attempt: Attempt): Json {
  if (wanted === "code") return end.code;
  if (wanted === "all") return { code: end.code, stdout: end.stdout, stderr: end.stderr };
  if (end.code !== 0) {
    const why = end.outOfMemory ? " It was out of memory." : "";
    throw new ConnectorError(`The container ended with code ${end.code}.${why}`, {
      kind: "runtime",
      outcome: "answered",
      status: 500,
      detail: { code: end.code, stderr: attempt.masked(end.stderr).slice(-EXCERPT_CHARACTERS_MAX) },
    });
  }
  return wanted === "none" ? null : end[wanted];
}
