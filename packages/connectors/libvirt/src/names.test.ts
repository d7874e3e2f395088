import { describe, expect, test } from "vitest";
import { macOf, tokenOfUuid, tokenOfVolume, uuidOf, volumeNameOf } from "./names.ts";

const TOKEN = "tok_0123456789abcdef0123456789abcdef";

describe("names", () => {
  test("a token is a UUID, and back", () => {
    expect(uuidOf(TOKEN)).toBe("01234567-89ab-cdef-0123-456789abcdef");
    expect(tokenOfUuid(uuidOf(TOKEN))).toBe(TOKEN);
    expect(tokenOfUuid("no UUID")).toBeUndefined();
  });

  test("a volume's name holds the token, and no other name does", () => {
    expect(tokenOfVolume(volumeNameOf("data1", TOKEN, "qcow2"))).toBe(TOKEN);
    expect(tokenOfVolume(`${TOKEN}.qcow2`)).toBeNull();
    expect(tokenOfVolume(`data1-${TOKEN}-copy`)).toBeNull();
  });

  test("cards of a machine have addresses of their own, the same for each attempt", () => {
    expect([macOf(TOKEN, 0), macOf(TOKEN, 1), macOf(`tok_${"f".repeat(32)}`, 1)]).toEqual([
      "52:54:00:01:23:45",
      "52:54:00:01:23:46",
      "52:54:00:00:00:00",
    ]);
  });
});
