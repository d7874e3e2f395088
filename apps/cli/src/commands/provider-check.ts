import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { providerJson, type ProviderView } from "../json/provider-json.ts";
import { providerLines } from "../render/provider-text.ts";
import { type CommonOptions, type Session, withCommonOptions, withSession } from "../session.ts";

/** `tutti provider check`: asks one system, or all, how they are. */
export function providerCheck(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("check", "ask a system whether it can be worked with; exit code 4 when one can not").argument(
    "[name]",
    "the provider; all of them by default",
  );
  return withCommonOptions(command).action((name: string | undefined, options: CommonOptions) =>
    cli.act(() =>
      withSession(cli.io, options, true, async (session) => {
        const names = name === undefined ? (await session.service.listProviders()).map((view) => view.name) : [name];
        const views = await Promise.all(names.map((each) => session.service.checkProvider(each)));
        if (session.isJson) session.io.out(`${JSON.stringify({ providers: views.map(providerJson) })}\n`);
        else for (const view of views) printProvider(session, view);
        return views.some(isUnhealthy) ? EXIT.unreachable : EXIT.ok;
      }),
    ),
  );
}

export function isUnhealthy(view: ProviderView): boolean {
  return view.health?.found.status === "unhealthy";
}

export function printProvider({ io }: Session, view: ProviderView): void {
  io.out(`${providerLines(view).join("\n")}\n`);
}
