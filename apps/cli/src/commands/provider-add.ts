import { AppError, isJsonObject, type JsonObject } from "@tutti/model";
import { type Cli, collect, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { providerJson } from "../json/provider-json.ts";
import { readInputOptions } from "../run-options.ts";
import { type CommonOptions, type Session, withCommonOptions, withSession } from "../session.ts";
import { splitPair } from "../values.ts";
import { isUnhealthy, printProvider } from "./provider-check.ts";

interface AddOptions extends CommonOptions {
  readonly connector: string;
  readonly input?: string;
  readonly set: readonly string[];
  readonly credential: readonly string[];
  readonly replace?: boolean;
  readonly check: boolean;
  readonly dryRun?: boolean;
  readonly reason?: string;
}

/** `tutti provider add`: a system that workflows may work on. */
export function providerAdd(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("add", "add a system that workflows work on, and ask it how it is; exit code 4 when it can't be worked with")
    .argument("<name>", "what workflows call it in `with.provider`")
    .requiredOption("--connector <name>", "the connector that speaks to it")
    .option("-f, --input <file>", "configuration, JSON or YAML; - is standard input")
    .option("--set <name=value>", "sets a member of the configuration; dots nest; may be repeated", collect, [])
    .option("--credential <name=secret>", "which secret a credential is (its name, never its value); may be repeated", collect, [])
    .option("--replace", "change the provider of this name, if there is one")
    .option("--no-check", "do not ask the system")
    .option("--dry-run", "check what is given, add nothing")
    .option("--reason <text>", "why; told in the answer only, until there is an audit log");
  return withCommonOptions(command).action((name: string, options: AddOptions) =>
    cli.act(async () => {
      const configuration = await readInputOptions(cli.io, options);
      if (!isJsonObject(configuration)) throw new AppError("input-invalid", "A configuration is an object of names and values.");
      return withSession(cli.io, options, false, (session) => add(session, name, configuration, options));
    }),
  );
}

async function add(session: Session, name: string, configuration: JsonObject, options: AddOptions): Promise<number> {
  const { service } = session;
  const pairs = options.credential.map((text) => splitPair(text, "--credential"));
  const added = await service.addProvider({
    name,
    connector: options.connector,
    configuration,
    credentials: Object.fromEntries(pairs.map(({ key, value }) => [key, value])),
    replace: options.replace === true,
    dryRun: options.dryRun === true,
  });
  const view = options.check && options.dryRun !== true ? await service.checkProvider(name) : added;
  if (session.isJson) session.io.out(`${JSON.stringify(providerJson(view))}\n`);
  else printProvider(session, view);
  return isUnhealthy(view) ? EXIT.unreachable : EXIT.ok;
}
