import { setTimeout as pause } from "node:timers/promises";
import type { Inventory } from "../examples/deploy-server/inventory.ts";
import { run, tryRun } from "./commands.ts";
import { BACKEND, BALANCER_SOCKET } from "./deploy-input.ts";
import { DNS_API, DNS_KEY, DNS_ZONE, type Hypervisor, TICKET_API, TICKET_LOGIN } from "./systems.ts";

const AUTHORIZATION = `Basic ${btoa(`${TICKET_LOGIN.username}:${TICKET_LOGIN.password}`)}`;

/** Lists the real systems: everything that names the server, whoever made it. */
export async function inspect(hypervisor: Hypervisor, serverName: string): Promise<Inventory> {
  const virsh = (...args: readonly string[]): Promise<string> => run("virsh", ["-q", "-c", hypervisor.uri, ...args]);
  const domains = lines(await virsh("list", "--all", "--name")).filter((name) => name.startsWith(serverName));
  const volumes = firstColumn(await virsh("vol-list", hypervisor.pool)).filter((name) => name.startsWith(`${serverName}-`));
  const attached: string[] = [];
  for (const domain of domains)
    attached.push(...lines(await virsh("domblklist", domain)).filter((line) => line.includes(`${serverName}-data`)));
  const tickets = await ticketsOf(serverName);
  let reports = 0;
  for (const ticket of tickets) reports += await successReports(ticket.id);
  return { domains, volumes, attached, members: await poolMembers(serverName), records: await dnsRecords(serverName), tickets, reports };
}

/** Takes away everything that names the server, so that the lab is as before. Errors are left for the next look. */
export async function cleanUp(hypervisor: Hypervisor, serverName: string): Promise<void> {
  const virsh = (...args: readonly string[]) => tryRun("virsh", ["-q", "-c", hypervisor.uri, ...args]);
  const before = await inspect(hypervisor, serverName);
  await removeMembers(serverName);
  for (const domain of before.domains) {
    await virsh("destroy", domain);
    await virsh("undefine", domain, "--managed-save", "--snapshots-metadata");
  }
  for (const volume of before.volumes) await virsh("vol-delete", "--pool", hypervisor.pool, volume);
  if (before.records.length > 0) {
    const rrsets = [{ name: `${serverName}.${DNS_ZONE}`, type: "A", changetype: "DELETE" }];
    await fetch(`${DNS_API}/zones/${DNS_ZONE}`, { method: "PATCH", headers: { "X-API-Key": DNS_KEY }, body: JSON.stringify({ rrsets }) });
  }
  for (const ticket of before.tickets)
    await tickets(`/ticket/${ticket.id}`, { method: "PUT", body: JSON.stringify({ Status: "deleted" }) });
  const after = await inspect(hypervisor, serverName);
  const left = [after.domains, after.volumes, after.members, after.records, after.tickets].flat();
  if (left.length > 0) throw new Error(`not cleaned up: ${JSON.stringify(after)}`);
}

/** A server that is being checked, or is still connected, can't be deleted; a moment later it can. */
async function removeMembers(serverName: string): Promise<void> {
  for (let tries = 0; tries < REMOVAL_TRIES_MAX; tries += 1) {
    const members = await poolMembers(serverName);
    if (members.length === 0) return;
    if (tries > 0) await pause(REMOVAL_PAUSE_MS);
    for (const member of members) await balancer(`disable server ${BACKEND}/${member}; del server ${BACKEND}/${member}`);
  }
}

const REMOVAL_TRIES_MAX = 60;
const REMOVAL_PAUSE_MS = 1000;

/** Commands to HAProxy's runtime socket, one answer. */
function balancer(commands: string): Promise<string> {
  return run("socat", ["-", `UNIX-CONNECT:${BALANCER_SOCKET}`], { input: `${commands}\n` });
}

/** Columns of `show servers state`: 2 backend, 4 server. */
async function poolMembers(serverName: string): Promise<string[]> {
  const rows = lines(await balancer(`show servers state ${BACKEND}`)).map((line) => line.split(" "));
  return rows.flatMap((row) => (row[1] === BACKEND && row[3] !== undefined && row[3].startsWith(serverName) ? [row[3]] : []));
}

async function dnsRecords(serverName: string): Promise<string[]> {
  const response = await fetch(`${DNS_API}/zones/${DNS_ZONE}`, { headers: { "X-API-Key": DNS_KEY } });
  if (!response.ok) throw new Error(`zone: ${response.status}`);
  const zone = (await response.json()) as { rrsets: { name: string; type: string; records: { content: string }[] }[] };
  return zone.rrsets
    .filter((set) => set.name.startsWith(serverName))
    .flatMap((set) => set.records.map((record) => `${set.name} ${set.type} ${record.content}`));
}

async function ticketsOf(serverName: string): Promise<{ id: string; status: string }[]> {
  const query = new URLSearchParams({
    query: `Subject LIKE 'Deploy ${serverName}.${DNS_ZONE.slice(0, -1)}'`,
    fields: "Status",
    per_page: "100",
  });
  const found = (await tickets(`/tickets?${query.toString()}`)) as { items: { id: string; Status: string }[] };
  return found.items.map((item) => ({ id: item.id, status: item.Status }));
}

async function successReports(ticket: string): Promise<number> {
  const history = (await tickets(`/ticket/${ticket}/history?fields=Type,Data&per_page=100`)) as { items: { Type: string; Data: string }[] };
  return history.items.filter((item) => item.Type === "Comment" && item.Data.startsWith("Deployed [")).length;
}

async function tickets(path: string, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(`${TICKET_API}${path}`, {
    ...init,
    headers: { Authorization: AUTHORIZATION, "Content-Type": "application/json" },
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

function firstColumn(text: string): string[] {
  return lines(text).flatMap((line) => line.trim().split(/\s+/).slice(0, 1));
}
