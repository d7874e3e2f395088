import type { Attempt } from "@tutti/connector-kit";
import type { Vm } from "./domains.ts";
import { wait } from "./power.ts";
import type { Virsh } from "./virsh.ts";

const LOOK_EVERY_MS = 1000;
/** What a lease says is known first; the agent knows addresses that were set by hand, arp what a bridge has seen. */
const SOURCES = ["lease", "agent", "arp"] as const;

export type FoundAddress = {
  readonly address: string;
  readonly mac: string;
  readonly source: (typeof SOURCES)[number];
};

/** The addresses of a machine, as soon as there is one. @throws ConnectorError when there is none in time. */
export async function awaitAddress(
  virsh: Virsh,
  vm: Vm,
  options: { readonly family: "ipv4" | "ipv6"; readonly withinSeconds: number; readonly attempt: Attempt },
): Promise<readonly FoundAddress[]> {
  const { family, withinSeconds, attempt } = options;
  const endAt = performance.now() + withinSeconds * 1000;
  for (;;) {
    for (const source of SOURCES) {
      const end = await virsh.readIfPossible("domifaddr", "--domain", vm.uuid, "--source", source, "--full");
      const found = addressesIn(end ?? "", source, family);
      if (end !== undefined && found === undefined) throw virsh.strange();
      if (found !== undefined && found.length > 0) return found;
    }
    if (withinSeconds === 0) return [];
    if (performance.now() >= endAt)
      throw virsh.late(
        `The machine ${vm.name} has no ${family} address after ${withinSeconds} s: look whether it runs, has booted, and whether its network gives addresses.`,
      );
    attempt.heartbeat();
    await wait(virsh, LOOK_EVERY_MS);
  }
}

/** Undefined when it is no such table. */
function addressesIn(text: string, source: FoundAddress["source"], family: string): readonly FoundAddress[] | undefined {
  const [head = "", line = "", ...rows] = text.split("\n");
  if (!/^ ?Name +MAC address +Protocol +Address/.test(head) || !line.startsWith("---")) return undefined;
  return rows.flatMap((row) => {
    const [name, mac, protocol, address] = row.trim().split(/\s+/);
    const bare = address?.split("/")[0];
    if (bare === undefined || mac === undefined || protocol !== family || name === "lo" || bare.startsWith("fe80:")) return [];
    return [{ address: bare, mac, source }];
  });
}
