/** What the systems list that belongs to one deployment, real ones or fakes. */
export interface Inventory {
  readonly domains: readonly string[];
  readonly volumes: readonly string[];
  /** Data volumes that the domain has as a disk. */
  readonly attached: readonly string[];
  readonly members: readonly string[];
  readonly records: readonly string[];
  readonly tickets: readonly { readonly id: string; readonly status: string }[];
  /** Comments on these tickets that report success. */
  readonly reports: number;
}

/** What is not as after exactly one undisturbed deployment; empty when all is right. */
export function differencesFromOneDeployment(inventory: Inventory): string[] {
  const differences: string[] = [];
  const expectOne = (what: string, found: readonly unknown[]): void => {
    if (found.length !== 1) differences.push(`${what}: ${found.length} instead of 1 (${JSON.stringify(found)})`);
  };
  expectOne("virtual machines", inventory.domains);
  for (const kind of ["root.qcow2", "seed.iso", "data.qcow2"]) {
    expectOne(
      `volumes ${kind}`,
      inventory.volumes.filter((name) => name.endsWith(kind)),
    );
  }
  if (inventory.volumes.length !== 3) differences.push(`volumes: ${inventory.volumes.join(" ")}`);
  expectOne("attachments of the data volume", inventory.attached);
  expectOne("pool members", inventory.members);
  expectOne("DNS records", inventory.records);
  expectOne("tickets", inventory.tickets);
  if (inventory.tickets.some((ticket) => ticket.status !== "resolved"))
    differences.push(`ticket status: ${JSON.stringify(inventory.tickets)}`);
  if (inventory.reports !== 1) differences.push(`success reports on the ticket: ${inventory.reports} instead of 1`);
  return differences;
}
