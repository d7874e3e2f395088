import { expect } from "vitest";
import type { ScheduleRow } from "../store.ts";
import { eventOf, type StoreTest, T0, TENANT } from "./fixtures.ts";

/** What rows of schedules promise: one a workflow name, written in turn, kept over restarts; and that no event is deleted before it is read. */
export function describeSchedules(test: StoreTest): void {
  test("a row is written in turn: a revision that is not the next one changes nothing", async ({ store, reopen }) => {
    expect(await store.loadSchedule(TENANT, "ops", "backup")).toBeUndefined();
    expect(await store.putSchedule(scheduleOf({ revision: 2 }))).toBe("conflict");
    expect(await store.putSchedule(scheduleOf())).toBe("written");
    expect(await store.putSchedule(scheduleOf({ body: "other" }))).toBe("conflict");
    const second = scheduleOf({ revision: 2, isEnabled: false, eventPosition: 7, body: '{"ü":2}' });
    expect(await store.putSchedule(second)).toBe("written");
    expect(await store.putSchedule(scheduleOf({ revision: 4 }))).toBe("conflict");
    expect(await (await reopen()).loadSchedule(TENANT, "ops", "backup")).toEqual(second);
  });

  test("of two writers one is written, the other told", async ({ store }) => {
    const outcomes = await Promise.all([1, 2, 3].map((one) => store.putSchedule(scheduleOf({ body: `${one}` }))));
    expect(outcomes.toSorted()).toEqual(["conflict", "conflict", "written"]);
  });

  test("the list has the tenant's schedules by namespace and name", async ({ store }) => {
    const rows = [
      scheduleOf(),
      scheduleOf({ name: "audit" }),
      scheduleOf({ namespace: "a", name: "zebra" }),
      scheduleOf({ tenant: "other" }),
    ];
    for (const row of rows) await store.putSchedule(row);
    expect(await store.listSchedules(TENANT)).toEqual([rows[2], rows[1], rows[0]]);
    expect(await store.listSchedules("nobody")).toEqual([]);
  });

  test("an event that a schedule has not read is kept, however old", async ({ store }) => {
    for (const id of ["1", "2", "3"]) await store.acceptEvent(eventOf(id));
    await store.writeDispatchCursor(3);
    await store.putSchedule(scheduleOf({ eventPosition: 1 }));
    await store.putSchedule(scheduleOf({ name: "clocked" }));
    expect(await store.deleteEventsBefore(T0 + 1)).toBe(1);
    await store.putSchedule(scheduleOf({ revision: 2, eventPosition: 2 }));
    expect(await store.deleteEventsBefore(T0 + 1)).toBe(1);
    await store.putSchedule(scheduleOf({ revision: 3, isEnabled: false, eventPosition: undefined }));
    expect(await store.deleteEventsBefore(T0 + 1)).toBe(1);
  });
}

function scheduleOf(change: Partial<ScheduleRow> = {}): ScheduleRow {
  return {
    tenant: TENANT,
    namespace: "ops",
    name: "backup",
    isEnabled: true,
    eventPosition: undefined,
    revision: 1,
    body: "{}",
    ...change,
  };
}
