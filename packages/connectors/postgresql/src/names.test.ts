import { Token } from "@tutti/model/schemas";
import { describe, expect, test } from "vitest";
import { idOf, literal, markedComment, Name, quoted, readComment, tokenInName, unfinishedName } from "./names.ts";

const TOKEN = Token.parse(`tok_${"0123456789abcdef".repeat(2)}`);

describe("names and texts in SQL", () => {
  test("a name is quoted, and what is in it is no SQL", () => {
    expect(quoted("orders")).toBe('"orders"');
    expect(quoted('x"; DROP TABLE y; --')).toBe('"x""; DROP TABLE y; --"');
  });

  test("a text is the same whatever the server makes of backslashes", () => {
    expect(literal("it's")).toBe("E'it\\'s'");
    expect(literal("\\'; DROP TABLE y; --")).toBe("E'\\\\\\'; DROP TABLE y; --'");
  });

  test("a name that PostgreSQL would cut off is refused, counted in bytes", () => {
    expect(Name.safeParse("x".repeat(63)).success).toBe(true);
    expect(Name.safeParse("x".repeat(64)).success).toBe(false);
    expect(Name.safeParse("ä".repeat(32)).success).toBe(false);
    expect(Name.safeParse("a\0b").success).toBe(false);
  });

  test("an id is that of one thing only, whatever its names hold", () => {
    expect(idOf("a/b", "c")).toBe("a%2Fb/c");
    expect(idOf("a", "b/c")).toBe("a/b%2Fc");
  });
});

describe("the token in comments", () => {
  test.each([null, "", "of the shop", "(tutti tok_0)", "two\nlines "])("the comment %j comes back beside the token", (comment) => {
    expect(readComment(markedComment(comment, TOKEN))).toEqual({ comment: comment === "" ? null : comment, token: TOKEN });
  });

  test("a comment of somebody else has none", () => {
    expect(readComment("made by hand")).toEqual({ comment: "made by hand", token: null });
    expect(readComment(null)).toEqual({ comment: null, token: null });
  });

  test("a database that is not finished has it in its name", () => {
    expect(unfinishedName(TOKEN).length).toBeLessThanOrEqual(63);
    expect(tokenInName(unfinishedName(TOKEN))).toBe(TOKEN);
    expect(tokenInName("tutti_tok_shop")).toBeNull();
  });
});
