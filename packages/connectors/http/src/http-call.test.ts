import { attemptForTests } from "@tutti/connector-kit";
import { expect, test } from "vitest";
import { httpConnector } from "./http-connector.ts";

test("credentials in a URL that are no percent-encoded UTF-8 are sent as they stand", async () => {
  const sent: (string | null)[] = [];
  const connector = httpConnector({
    fetch: async (_url, init) => {
      sent.push(new Headers(init.headers).get("authorization"));
      return new Response(null, { status: 204 });
    },
  });
  for (const uri of ["http://%zz:%41@service.test/", "http://u%20v:%ff@service.test/"])
    await connector.functions["http"]?.run({ method: "get", endpoint: uri }, attemptForTests());
  expect(sent).toEqual([basic("%zz:A"), basic("u v:%ff")]);
});

function basic(text: string): string {
  return `Basic ${Buffer.from(text).toString("base64")}`;
}
