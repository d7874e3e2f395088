import { spawn } from "node:child_process";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { attemptForTests, type ConnectorFunction } from "@tutti/connector-kit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createBank } from "./bank.ts";
import { buildToken } from "./builders.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bank-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

test("effects acknowledged before kill -9 are in the books afterwards, and a new process answers from them", async () => {
  const path = join(directory, "bank.jsonl");
  const program = join(directory, "client.mjs");
  writeFileSync(
    program,
    `import { createBank, buildToken } from ${JSON.stringify(import.meta.resolve("./index.ts"))};
     import { attemptForTests } from ${JSON.stringify(import.meta.resolve("@tutti/connector-kit"))};
     const transfer = createBank({ path: process.argv[2] }).connector.functions["account.transfer:1"];
     for (let number = 1; ; number += 1) {
       await transfer.run({ amount: 1 }, attemptForTests({ token: buildToken(number) }));
       await new Promise((resolve) => process.stdout.write(number + "\\n", resolve));
     }`,
  );
  const client = spawn(process.execPath, [program, path], { stdio: ["ignore", "pipe", "inherit"] });
  let acknowledged = 0;
  client.stdout.setEncoding("utf8").on("data", (text: string) => {
    for (const line of text.trim().split("\n")) acknowledged = Math.max(acknowledged, Number(line));
    if (acknowledged >= 50) client.kill("SIGKILL");
  });
  const [, signal] = (await once(client, "close")) as [number | null, string | null];
  expect(signal).toBe("SIGKILL");

  const bank = createBank({ path });
  for (let number = 1; number <= acknowledged; number += 1) expect(bank.effects().get(buildToken(number))).toBe(1);
  // At most the one whose acknowledgement was lost is there besides.
  expect(bank.effects().size - acknowledged).toBeLessThanOrEqual(1);
  expect(bank.balance("main")).toBe(bank.effects().size);
  bank.close();
});

test("two open banks see each other's effects, and a torn last line hides nothing", async () => {
  const path = join(directory, "bank.jsonl");
  const left = createBank({ path });
  const open = (bank: typeof left): ConnectorFunction => bank.connector.functions["account.open:1"] as ConnectorFunction;
  await open(left).run({ account: "a", amount: 3 }, attemptForTests({ token: buildToken(1) }));
  appendFileSync(path, '{"type":"effect","tok');
  const right = createBank({ path });
  expect(await open(right).find?.({}, attemptForTests({ token: buildToken(1) }))).toEqual({
    account: "a",
    amount: 3,
    token: buildToken(1),
  });
  await open(right).run({}, attemptForTests({ token: buildToken(2) }));
  expect([...left.effects().keys()]).toEqual([buildToken(1), buildToken(2)]);
  left.close();
  right.close();
});
