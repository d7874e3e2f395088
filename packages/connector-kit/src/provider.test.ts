import { expect, test } from "vitest";
import { z } from "zod";
import { readProvider } from "./provider.ts";

const schemas = {
  configuration: z.object({ url: z.url(), server: z.string().default("localhost") }),
  credentials: z.object({ key: z.string() }),
};

test("a provider is read by the connector's schemas, with defaults", () => {
  const provider = { name: "dns", configuration: { url: "http://127.0.0.1:1" }, credentials: { key: "k" } };
  expect(readProvider(schemas, { provider })).toEqual({
    name: "dns",
    configuration: { url: "http://127.0.0.1:1", server: "localhost" },
    credentials: { key: "k" },
  });
});

test("what does not fit is named by member, and a credential's value is in no message", () => {
  const wrong = { name: "dns", configuration: { url: "nowhere" }, credentials: { key: "k" } };
  expect(() => readProvider(schemas, { provider: wrong })).toThrow("The configuration of provider dns does not fit: url: ");
  const secret = { name: "dns", configuration: { url: "http://127.0.0.1:1" }, credentials: { key: ["hunter2"] } };
  const read = (): unknown => readProvider(schemas, { provider: secret });
  expect(read).toThrow("The credentials of provider dns do not fit: key: ");
  expect(read).not.toThrow("hunter2");
  expect(() => readProvider(schemas, { provider: undefined })).toThrow("`tutti provider add` makes one");
});
