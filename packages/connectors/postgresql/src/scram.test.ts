import { describe, expect, test } from "vitest";
import { scramVerifier } from "./scram.ts";

describe("what is sent of a password", () => {
  test("is what PostgreSQL stores, with a salt of its own each time", async () => {
    const [one, other] = [await scramVerifier("pencil"), await scramVerifier("pencil")];
    expect(one).toMatch(/^SCRAM-SHA-256\$4096:[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$/);
    expect(one).not.toBe(other);
  });

  test.each(["", "a\0b", "a\u00A0b", "\uFB01sh", "e\u0301", "soft\u00ADhyphen"])(
    "%j is refused: clients read it differently",
    async (password) => {
      await expect(scramVerifier(password)).rejects.toMatchObject({ outcome: "never-began", errorKind: "validation" });
    },
  );

  test("other scripts are taken", async () => {
    await expect(scramVerifier("пароль é 密码")).resolves.toContain("SCRAM-SHA-256$");
  });
});
