import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { House } from "./house.ts";
import { check, type Row } from "./row.ts";
import { type Group, GROUPS } from "./rows.ts";

/** How long a control waits for what will not come. */
const CONTROL_MS = 3000;

for (const [name, group] of Object.entries(GROUPS)) {
  // oxlint-disable-next-line vitest/valid-title -- a key of a table of ours
  describe.concurrent(name, () => {
    let house: House;
    beforeAll(async () => {
      house = await group.open();
    });
    afterAll(async () => {
      await house.close();
      group.close?.();
    });
    // oxlint-disable-next-line vitest/valid-title -- checked to be a string by its type
    for (const row of group.rows) test(row.name, async () => check(row, house));
    test("control: a wrong message, a wrong exit code, a process that stands still and one that is killed are found out", async () =>
      findOut(group));
  });
}

/** Takes what a row of the group really showed, and spoils one thing after the other. */
async function findOut(group: Group): Promise<void> {
  const [row] = group.rows;
  if (row === undefined) throw new Error("The group has no rows.");
  const house = await group.open();
  try {
    const seen = await row.act(house);
    const same: Row = { ...row, act: async () => seen };
    await check(same, house);
    await expect(check({ ...same, says: ["what nobody says"] }, house)).rejects.toThrow("the user does not read");
    await expect(check({ ...same, exit: row.exit + 1 }, house)).rejects.toThrow(`${row.exit + 1}`);
    house.signal("SIGSTOP");
    await expect(check(same, house, CONTROL_MS)).rejects.toThrow("not done within");
    house.signal("SIGCONT");
    await check(same, house);
    house.signal("SIGKILL");
    await expect(check(same, house)).rejects.toThrow(/lost|lives/);
  } finally {
    await house.close();
  }
}
