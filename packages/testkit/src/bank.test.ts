import { attemptForTests, checkInput, checkOutput, resolveFunction } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import { describe, expect, test } from "vitest";
import { type Bank, type BankOptions, createBank } from "./bank.ts";
import { type BankFault, faultsAt, seededFaults } from "./bank-faults.ts";
import { buildToken } from "./builders.ts";
import { VirtualClock } from "./virtual-clock.ts";

const TOKEN = buildToken(1);
const never = new AbortController().signal;

function call(
  bank: Bank,
  name: string,
  input: JsonObject = {},
  attempt: { number?: number; token?: typeof TOKEN; signal?: AbortSignal } = {},
) {
  const found = resolveFunction([bank.connector], `${name}@bank`);
  if (found.kind === "missing") throw new Error(found.reason);
  const given = attemptForTests({ token: TOKEN, taskPath: "/do/pay", signal: never, ...attempt });
  return { run: () => found.function.run(input, given), find: async () => found.function.find?.(input, given), function: found.function };
}

function bankWith(fault: BankFault, more: BankOptions = {}): Bank {
  return createBank({ faults: faultsAt({ fault }), ...more });
}

describe("the bank", () => {
  test("has one function per effect class, with real schemas", () => {
    const { functions } = createBank().connector;
    expect(Object.fromEntries(Object.entries(functions).map(([name, { effect }]) => [name, effect]))).toEqual({
      "account.read:1": "read",
      "account.put:1": "idempotent",
      "account.open:1": "findable",
      "account.transfer:1": "unsafe",
      "step.run:1": "idempotent",
    });
    const put = call(createBank(), "account.put:1").function;
    expect(checkInput(put, { account: "a", amount: 1 })).toBeUndefined();
    expect(checkInput(put, { acount: "a" })).toContain("acount");
    expect(checkOutput(put, { account: "a" })).toContain("Invalid");
  });

  test("outputs name account, amount and token, and a value is echoed", async () => {
    const bank = createBank();
    expect(await call(bank, "account.put:1", { account: "a", amount: 5 }).run()).toEqual({ account: "a", amount: 5, token: TOKEN });
    expect(await call(bank, "account.read:1", { account: "a" }).run()).toEqual({ account: "a", balance: 5 });
    expect(await call(bank, "account.transfer:1", { value: { any: [1, null] } }).run()).toEqual({ value: { any: [1, null] } });
    expect(await call(bank, "step.run:1", { value: 7 }).run()).toEqual({ value: 7 });
    expect([bank.steps(), bank.calls().length]).toEqual([1, 3]);
  });

  test("a second put or open of the same token gives the first answer; a second transfer counts again", async () => {
    const bank = createBank();
    for (const name of ["account.put:1", "account.open:1", "account.transfer:1"]) {
      const token = buildToken(name.length);
      const first = await call(bank, name, { account: name, amount: 5 }, { token }).run();
      expect(await call(bank, name, { account: name, amount: 5 }, { token, number: 2 }).run()).toEqual(first);
    }
    expect([...bank.effects().values()]).toEqual([1, 1, 2]);
    expect([bank.balance("account.put:1"), bank.balance("account.open:1"), bank.balance("account.transfer:1")]).toEqual([5, 5, 10]);
  });

  test("without enforced uniqueness a second open has a second effect", async () => {
    const bank = createBank({ open: { unique: false, settleMs: 50, requestTimeoutMs: 10 } });
    const open = call(bank, "account.open:1");
    await open.run();
    await open.run();
    expect(bank.effects().get(TOKEN)).toBe(2);
    expect(open.function).toMatchObject({ unique: false, settleMs: 50, requestTimeoutMs: 10 });
  });

  test.each<[BankFault, string, number]>([
    [{ kind: "fail-before" }, "never-began", 0],
    [{ kind: "lose-before" }, "unknown", 0],
    [{ kind: "fail-after" }, "unknown", 1],
    [{ kind: "answer-error", status: 409 }, "answered", 0],
  ])("%j leaves outcome %s and %i effects, and the next attempt gets through", async (fault, outcome, effects) => {
    const bank = bankWith(fault);
    await expect(call(bank, "account.put:1").run()).rejects.toMatchObject({ outcome });
    expect(bank.effects().get(TOKEN) ?? 0).toBe(effects);
    await call(bank, "account.put:1", {}, { number: 2 }).run();
    expect(bank.effects().get(TOKEN)).toBe(1);
    expect(bank.calls().map((known) => known.fault)).toEqual([fault.kind, "none"]);
  });

  test("a duplicated request doubles an unsafe effect and nothing else", async () => {
    const bank = bankWith({ kind: "duplicate" });
    await call(bank, "account.transfer:1", {}, { token: buildToken(1) }).run();
    await call(bank, "account.put:1", {}, { token: buildToken(2) }).run();
    await call(bank, "account.open:1", {}, { token: buildToken(3) }).run();
    expect([...bank.effects().values()]).toEqual([2, 1, 1]);
  });

  test("find gives the output by token, undefined when absent, and a late effect only when it can be seen", async () => {
    let nowMs = 0;
    const bank = bankWith({ kind: "appear-late", ms: 100 }, { nowMs: () => nowMs });
    const open = call(bank, "account.open:1", { account: "a", amount: 1 });
    expect(await open.find()).toBeUndefined();
    await expect(open.run()).rejects.toMatchObject({ outcome: "unknown" });
    nowMs = 99;
    expect(await open.find()).toBeUndefined();
    nowMs = 100;
    expect(await open.find()).toEqual({ account: "a", amount: 1, token: TOKEN });
    expect(bank.calls().map((known) => known.phase)).toEqual(["find", "run", "find", "find"]);
  });

  test("a hanging request ends with the abort and its outcome is unknown", async () => {
    const bank = bankWith({ kind: "hang", effect: true });
    const controller = new AbortController();
    const hanging = call(bank, "account.transfer:1", {}, { signal: controller.signal }).run();
    controller.abort();
    await expect(hanging).rejects.toMatchObject({ outcome: "unknown" });
    expect(bank.effects().get(TOKEN)).toBe(1);
  });

  test("a delayed request has its effect when the wait is over, and none when it is aborted before", async () => {
    const clock = new VirtualClock();
    const bank = bankWith({ kind: "delay", ms: 50 }, { sleep: (ms, signal) => clock.sleep(ms, signal) });
    const answered = call(bank, "account.put:1", { value: 1 }).run();
    expect(bank.effects().size).toBe(0);
    await clock.advance(50);
    expect(await answered).toEqual({ value: 1 });
    const controller = new AbortController();
    const stopped = call(bank, "account.put:1", {}, { token: buildToken(2), signal: controller.signal }).run();
    controller.abort();
    await expect(stopped).rejects.toMatchObject({ outcome: "never-began" });
    expect(bank.effects().has(buildToken(2))).toBe(false);
  });

  test("faults are addressed by task, attempt and phase; a seeded plan repeats itself and leaves late attempts alone", async () => {
    const bank = createBank({
      faults: faultsAt(
        { taskPath: "/do/other", fault: { kind: "lose-before" } },
        { taskPath: "/do/pay", attempt: 2, fault: { kind: "fail-after" } },
        { function: "account.open:1", phase: "find", attempt: "every", fault: { kind: "fail-before" } },
      ),
    });
    await call(bank, "account.put:1").run();
    await expect(call(bank, "account.put:1", {}, { number: 2 }).run()).rejects.toThrow("lost");
    await expect(call(bank, "account.open:1", {}, { number: 9 }).find()).rejects.toThrow("closed");

    const plan = seededFaults({ seed: 1, rate: 0.5, faults: [{ kind: "lose-before" }, { kind: "fail-after" }] });
    const draw = (attempt: number) =>
      Array.from({ length: 200 }, (_, index) =>
        plan({ function: "account.put:1", phase: "run", runId: "", taskPath: "", token: buildToken(index), attempt }),
      );
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1).filter((fault) => fault !== undefined).length).toBeGreaterThan(60);
    expect(draw(4).every((fault) => fault === undefined)).toBe(true);
  });
});
