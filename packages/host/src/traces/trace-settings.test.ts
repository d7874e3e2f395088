import { expect, it } from "vitest";
import { problemOfUrl } from "../delivery/destination.ts";
import { parseRetryAfter } from "../delivery/post.ts";
import { pauseAfterFailure } from "../delivery/backoff.ts";
import { traceTargetOf } from "./trace-settings.ts";

const target = (environment: Record<string, string>, more: { flag?: string; settings?: { url: string; headers: object } } = {}) =>
  traceTargetOf({ flag: more.flag, settings: more.settings as never, environment });

it("takes the command line before the settings before the environment, with the headers that belong there", () => {
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://env:4318/", OTEL_EXPORTER_OTLP_HEADERS: "a=1" };
  const settings = { url: "https://set/x", headers: { b: "2" } };
  expect(target({})).toBeUndefined();
  expect(target(environment)).toEqual({ url: "http://env:4318/v1/traces", headers: { a: "1" }, timeoutMs: 10_000 });
  expect(target(environment, { settings })).toMatchObject({ url: "https://set/x", headers: { b: "2" } });
  expect(target(environment, { settings, flag: "http://flag:1" })).toMatchObject({ url: "http://flag:1/v1/traces", headers: { a: "1" } });
  expect(target({ ...environment, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://own:1/as/it/is" })).toMatchObject({
    url: "http://own:1/as/it/is",
  });
});

it("lets the environment turn it off, and passes over what speaks another protocol", () => {
  const base = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://env:4318" };
  expect(target({ ...base, OTEL_SDK_DISABLED: "true" })).toBeUndefined();
  expect(target({ ...base, OTEL_TRACES_EXPORTER: "none" })).toBeUndefined();
  expect(target({ ...base, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" })).toBeUndefined();
  expect(() => target({ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" })).toThrow(/OTEL_EXPORTER_OTLP_ENDPOINT/);
});

it("reads headers in percent encoding and a timeout in milliseconds", () => {
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://e",
    OTEL_EXPORTER_OTLP_HEADERS: " a=b%2Cc , d==,e",
    OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: "250",
  };
  expect(target(environment)).toMatchObject({ headers: { a: "b,c", d: "=" }, timeoutMs: 250 });
});

it("refuses addresses that hold credentials or are none", () => {
  expect(problemOfUrl("https://u:p@h/")).toMatch(/headers/);
  expect(problemOfUrl("ftp://h/")).toMatch(/http/);
  expect(problemOfUrl("localhost:4318/x")).toBeDefined();
  expect(problemOfUrl("http://[::1]:4318/v1/traces?x=1")).toBeUndefined();
});

it("waits longer after each failure, or as long as it is asked to, within bounds", () => {
  expect([1, 2, 3, 40].map((failures) => pauseAfterFailure(failures, 30_000, undefined, 0.5))).toEqual([1000, 2000, 4000, 30_000]);
  expect(pauseAfterFailure(1, 30_000, 7000)).toBe(7000);
  expect(pauseAfterFailure(1, 30_000, 86_400_000)).toBe(300_000);
  expect(parseRetryAfter("3", 0)).toBe(3000);
  expect(parseRetryAfter("Thu, 01 Jan 1970 00:00:05 GMT", 1000)).toBe(4000);
  expect(parseRetryAfter("soon", 0)).toBeUndefined();
});
