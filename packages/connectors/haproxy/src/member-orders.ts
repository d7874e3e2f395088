import { type Member, memberId } from "./members.ts";
import type { RuntimeApi } from "./runtime-api.ts";

/** Brings a member from how it is to how it shall be, its state last: it takes traffic only when all else is so. */
export async function setMember(api: RuntimeApi, is: Member, wanted: Member): Promise<void> {
  const server = memberId(is);
  if (wanted.address !== null && (wanted.address !== is.address || wanted.port !== is.port)) {
    const said = await api.order(`set server ${server} addr ${wanted.address} port ${wanted.port}`);
    if (!/IP changed|no need to change/.test(said)) throw api.refused("set server addr", said);
  }
  if (wanted.weight !== is.weight) await quietly(api, `set server ${server} weight ${wanted.weight}`);
  if (wanted.check !== is.check) await quietly(api, `${wanted.check === "on" ? "enable" : "disable"} health ${server}`);
  if (wanted.state !== is.state) await quietly(api, `set server ${server} state ${wanted.state}`);
}

/** An order that HAProxy answers with nothing. */
export async function quietly(api: RuntimeApi, command: string): Promise<void> {
  const said = await api.order(command);
  if (said.trim() !== "") throw api.refused(command, said);
}

export function noPool(api: RuntimeApi, pool: string): Error {
  return api.refusal(`There is no pool ${pool}: it is a backend of HAProxy's configuration; \`pool.list\` tells which there are.`);
}

/** @throws ConnectorError `validation`: somebody has put another server there. */
export function mustHoldToken(api: RuntimeApi, member: Member, token: string | undefined): void {
  if (token !== undefined && member.token !== token)
    throw api.refusal(
      `${memberId(member)} is not the member that the call made: somebody has added another one of this name, so it stays.`,
    );
}
