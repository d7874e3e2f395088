import type { JsonObject } from "@tutti/model";
import type { Canaries, CanaryKind } from "./canaries.ts";
import type { Installation } from "./installation.ts";
import { Sheet } from "./sheet.ts";

/** How the server behaves to each provider, and what the provider's credential looks like. */
const PLACES: readonly (readonly [mode: string, kind: CanaryKind])[] = [
  ["powerdns", "special"],
  ["powerdns", "token"],
  ["echo", "special"],
  ["text", "special"],
  ["encodings", "special"],
  ["status", "special"],
  ["cut", "special"],
  ["bad-json", "special"],
  ["redirect", "token"],
  ["refuse", "special"],
  // Can't be sent as a key: the refusal may not show it.
  ["powerdns", "unicode"],
  ["powerdns", "lines"],
  ["powerdns", "login"],
];

interface CanaryProvider {
  readonly name: string;
  readonly mode: string;
  readonly secret: string;
}

export interface ProvidersUnderTest {
  readonly document: JsonObject;
  /** Adds the providers, by the commands that people use, with a check of each, and looks at them. */
  add(installation: Installation): Promise<void>;
}

/** Providers whose credentials are canaries, and a workflow that works on each; it names no secret. */
export function providersUnderTest(canaries: Canaries, origin: string): ProvidersUnderTest {
  const providers = PLACES.map(([mode, kind], index): CanaryProvider => ({ name: `p${index}`, mode, secret: canaries.make(kind).name }));
  const sheet = new Sheet(canaries);
  for (const { name, mode } of providers) {
    sheet.tryOut(`list-${name}`, { call: "zone.list:1@powerdns", with: { provider: name } });
    // What answers otherwise leaves a doubt whether the zone is there, and the run waits for a person.
    if (mode === "powerdns") sheet.tryOut(`create-${name}`, { call: "zone.create:1@powerdns", with: { provider: name, name: "lab.test" } });
    const set = { provider: name, zone: "lab.test", name: "www", type: "A", records: ["10.0.0.1"] };
    sheet.tryOut(`set-${name}`, { call: "recordset.set:1@powerdns", with: set });
  }
  return {
    document: sheet.document("providers"),
    add: async (installation) => {
      for (const { name, mode, secret } of providers) {
        const configuration = ["--connector", "powerdns", "--set", `url=${origin}/${mode}`, "--credential", `apiKey=${secret}`];
        const said = await installation.tutti(["provider", "add", name, ...configuration]);
        // 4: the server does not behave as PowerDNS.
        if (said.code !== 0 && said.code !== 4) throw new Error(`provider add ${name}: ${said.text}`);
      }
      await installation.tutti(["provider", "check"]);
      await installation.tutti(["provider", "list", "--json"]);
      await installation.tutti(["provider", "list"], { terminal: true });
    },
  };
}
