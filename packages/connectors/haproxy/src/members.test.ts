import { Token } from "@tutti/model/schemas";
import { expect, test } from "vitest";
import { addressOfToken, tokenOfAddress } from "./members.ts";
import { beforeIn, noteName } from "./note-name.ts";

test.each([
  ["tok_0123456789abcdef0123456789abcdef", "123:4567:89ab:cdef:123:4567:89ab:cdef"],
  ["tok_00000000000000000000000000000001", "::1"],
  ["tok_00010000000000000000000000000000", "1::"],
  ["tok_fe800000000000000000000000000001", "fe80::1"],
  ["tok_ffffffffffffffffffffffffffffffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
])("%s stands as %s, and is read from it again", (text, written) => {
  const token = Token.parse(text);
  expect(tokenOfAddress(addressOfToken(token))).toBe(token);
  expect(tokenOfAddress(written)).toBe(token);
});

test.each(["-", "127.0.0.1", "::ffff:127.0.0.1", "agent.lab.test", ""])("%j is no token", (address) => {
  expect(tokenOfAddress(address)).toBeUndefined();
});

test("what was before is read from a note's name, and nothing from a name that is cut or another's", () => {
  const token = Token.parse(`tok_${"1".repeat(32)}`);
  const before = { address: "::1", state: "ready", text: "ä;\n" };
  const name = noteName(token, before);
  expect(name).toMatch(/^[A-Za-z0-9_.:-]+$/);
  expect(beforeIn(name)).toEqual({ before });
  expect(beforeIn(noteName(token, null))).toEqual({ before: null });
  expect(beforeIn(name.slice(0, -3))).toBeUndefined();
  expect(beforeIn("tutti-note.x.e30")).toBeUndefined();
});
