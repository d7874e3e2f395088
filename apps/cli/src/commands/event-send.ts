import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { AppError, type CloudEvent, isJsonObject, type Json } from "@tutti/model";
import { CloudEventSchema } from "@tutti/model/schemas";
import { type Cli, collect, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { isDrivenElsewhere } from "../follow.ts";
import { type CommonOptions, type Session, withCommonOptions, withSession } from "../session.ts";
import { parseJsonOption, readValue, splitPair } from "../values.ts";

interface SendOptions extends CommonOptions {
  readonly file?: string;
  readonly type?: string;
  readonly source?: string;
  readonly id?: string;
  readonly subject?: string;
  readonly payload?: string;
  readonly attribute: readonly string[];
  readonly dryRun?: boolean;
  readonly reason?: string;
}

/** `tutti event send`: gives an event to all runs that wait for it. The same source and id counts once. */
export function eventSend(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("send", "send a CloudEvent to the runs that wait for it")
    .option("-f, --file <file>", "the whole CloudEvent, JSON or YAML; - is standard input; options change its members")
    .option("--type <type>", "its type")
    .option("--source <uri>", "its source (default: this host)")
    .option("--id <id>", "its id; the same source and id is accepted once (default: a new one)")
    .option("--subject <subject>", "its subject")
    .option("--payload <json>", "its data, as JSON; @FILE reads a file")
    .option("--attribute <name=value>", "extension attribute; may be repeated", collect, [])
    .option("--dry-run", "print the event, send nothing")
    .option("--reason <text>", "why; becomes the extension attribute `reason`");
  return withCommonOptions(command).action((options: SendOptions) =>
    cli.act(async () => {
      const event = await buildEvent(cli, options);
      if (options.dryRun) {
        cli.io.out(`${JSON.stringify(options.json ? { dryRun: true, event } : event, undefined, options.json ? 0 : 2)}\n`);
        return EXIT.ok;
      }
      return withSession(cli.io, options, false, (session) => send(session, event));
    }),
  );
}

async function send(session: Session, event: CloudEvent): Promise<number> {
  const { io, service } = session;
  const { position, duplicate } = await service.acceptEvent(event);
  if (session.isJson) io.out(`${JSON.stringify({ id: event.id, source: event.source, position, duplicate })}\n`);
  else {
    io.out(`${event.id} ${duplicate ? "was accepted before" : "accepted"} at position ${position}\n`);
    if (!isDrivenElsewhere(session)) io.error(`No process drives all runs; those that wait for it go on with \`${session.tutti} up\`.\n`);
  }
  return EXIT.ok;
}

async function buildEvent(cli: Cli, options: SendOptions): Promise<CloudEvent> {
  const base = options.file === undefined ? {} : await readValue(cli.io, options.file);
  if (!isJsonObject(base)) throw new AppError("event-invalid", "A CloudEvent is an object.");
  const given: [string, Json | undefined][] = [
    ["type", options.type],
    ["source", options.source],
    ["id", options.id],
    ["subject", options.subject],
    ["data", options.payload === undefined ? undefined : await readData(cli, options.payload)],
    ["reason", options.reason],
    ...options.attribute.map((pair): [string, Json] => {
      const { key, value } = splitPair(pair, "--attribute");
      return [key, value];
    }),
  ];
  const defaults = { specversion: "1.0", id: randomUUID(), source: `//${hostname()}/tutti`, time: new Date(cli.io.now()).toISOString() };
  const event = { ...defaults, ...base, ...Object.fromEntries(given.filter(([, value]) => value !== undefined)) };
  const parsed = CloudEventSchema.safeParse(event);
  if (!parsed.success) {
    const [problem] = parsed.error.issues;
    throw new AppError(
      "event-invalid",
      `The event cannot be sent: \`${problem?.path.join(".") ?? ""}\` ${problem === undefined ? "is wrong" : describe(event, problem)}.`,
      { hint: "A CloudEvent needs `id`, `source` and `type`; `tutti event send --help` shows the options for them." },
    );
  }
  // The schema has checked what a CloudEvent needs; what it left out is data.
  return parsed.data as CloudEvent;
}

async function readData(cli: Cli, text: string): Promise<Json> {
  return text.startsWith("@") ? readValue(cli.io, text.slice(1)) : parseJsonOption(text, "--payload");
}

/** What is wrong with an attribute, without the schema's jargon. */
function describe(
  event: object,
  problem: { readonly path: readonly PropertyKey[]; readonly message: string; readonly code: string },
): string {
  const [name] = problem.path;
  const value: unknown = name === undefined ? undefined : Reflect.get(event, name);
  if (value === undefined) return "is missing";
  if (value === "") return "is empty";
  return name === "time" ? "must be a time such as 2026-01-31T12:00:00Z" : `is wrong: ${problem.message}`;
}
