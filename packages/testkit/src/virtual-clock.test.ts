import { describe, expect, test } from "vitest";
import { VirtualClock } from "./virtual-clock.ts";

describe("VirtualClock", () => {
  test("timers fire in the order of their due times, also those set on the way", async () => {
    const clock = new VirtualClock(0);
    const fired: string[] = [];
    clock.setTimer(30, () => fired.push(`late ${clock.monotonicMs()}`));
    clock.setTimer(10, () => {
      fired.push(`early ${clock.monotonicMs()}`);
      clock.setTimer(5, () => fired.push(`nested ${clock.monotonicMs()}`));
    });
    clock.setTimer(10, () => fired.push("same time, set later"));
    await clock.advance(29);
    expect(fired).toEqual(["early 10", "same time, set later", "nested 15"]);
    await clock.advance(1);
    expect(fired.at(-1)).toBe("late 30");
  });

  test("a cleared timer never fires, and an aborted sleep rejects and leaves no timer", async () => {
    const clock = new VirtualClock(0);
    let fired = false;
    clock.setTimer(1, () => (fired = true)).clear();
    const controller = new AbortController();
    const sleeping = clock.sleep(100, controller.signal);
    controller.abort(new Error("enough"));
    await expect(sleeping).rejects.toThrow("enough");
    await clock.advance(1000);
    expect(fired).toBe(false);
    expect(clock.nextDueMs()).toBeUndefined();
    expect(await clock.advanceToNext()).toBe(false);
  });

  test("the wall clock may jump while the monotonic one goes on", async () => {
    const clock = new VirtualClock(1000);
    clock.jumpWallClock(-500);
    await clock.advance(10);
    expect([clock.wallClockMs(), clock.monotonicMs()]).toEqual([510, 10]);
  });
});
