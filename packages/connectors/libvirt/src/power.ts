import { setTimeout as pause } from "node:timers/promises";
import type { Attempt } from "@tutti/connector-kit";
import type { Virsh } from "./virsh.ts";

const LOOK_EVERY_MS = 500;
/** A guest that has just begun to boot does not hear the first word. */
const ASK_EVERY_MS = 10_000;

/** Asks a machine to go down, and ends it when it is still there after the time it was given; one that is off is left so. @throws ConnectorError. */
export async function powerOff(virsh: Virsh, uuid: string, graceSeconds: number, attempt: Attempt): Promise<void> {
  const endAt = performance.now() + graceSeconds * 1000;
  let askAt = performance.now();
  while (performance.now() < endAt) {
    if (performance.now() >= askAt) {
      const asked = await virsh.change(["shutdown", "--domain", uuid]);
      // One that can't be asked is ended.
      if (asked.kind === "refused" && !asked.said.includes("not running")) break;
      askAt = performance.now() + ASK_EVERY_MS;
    }
    const state = await virsh.read("domstate", "--domain", uuid);
    if (state === undefined || /^(?:shut off|crashed)/.test(state.trim())) return;
    attempt.heartbeat();
    await wait(virsh, LOOK_EVERY_MS);
  }
  if (graceSeconds > 0) attempt.log("info", `It did not go down within ${graceSeconds} s and is ended.`);
  const end = await virsh.change(["destroy", "--domain", uuid]);
  if (end.kind === "refused" && !end.said.includes("not running")) throw virsh.refusal(`The machine can't be ended: ${end.said}`);
}

/** @throws ConnectorError when the attempt is asked to stop meanwhile. */
export async function wait(virsh: Virsh, ms: number): Promise<void> {
  await pause(ms, undefined, { signal: virsh.signal }).catch(() => virsh.mustGoOn());
}
