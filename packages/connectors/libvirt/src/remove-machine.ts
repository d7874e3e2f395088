import type { Domain } from "./domains.ts";
import type { Virsh } from "./virsh.ts";
import { removeVolume, splitVolume } from "./volumes.ts";

/**
 * Ends a machine, deletes the volumes that were made with it, and then the machine itself: it is the record of what belongs to it, so an attempt that was
 * interrupted is gone on with. @throws ConnectorError.
 */
export async function removeMachine(virsh: Virsh, domain: Domain, options: { readonly keepVolumes?: boolean } = {}): Promise<void> {
  const { uuid } = domain.vm;
  if (domain.runId !== undefined) {
    const end = await virsh.change(["destroy", "--domain", uuid]);
    if (end.kind === "refused" && !end.said.includes("not running")) throw virsh.refusal(`The machine can't be ended: ${end.said}`);
  }
  if (options.keepVolumes !== true) for (const volume of domain.mark?.volumes ?? []) await removeVolume(virsh, splitVolume(volume, ""));
  const end = await virsh.change([
    "undefine",
    "--domain",
    uuid,
    "--managed-save",
    "--snapshots-metadata",
    "--checkpoints-metadata",
    "--nvram",
  ]);
  if (end.kind === "refused") throw virsh.refusal(`The machine can't be deleted: ${end.said}`);
}
