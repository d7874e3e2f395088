import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Connector, ConnectorFunction } from "./connector.ts";
import { resolveFunction } from "./resolve-function.ts";

const any: ConnectorFunction = {
  title: "Any",
  input: z.object({}),
  output: z.null(),
  effect: "read",
  requestTimeoutMs: 0,
  settleMs: 0,
  run: async () => null,
};
const libvirt: Connector = { name: "libvirt", version: "1.0.0", functions: { "vm.create:1": any } };
const http: Connector = { name: "http", version: "1.0.0", functions: { http: any } };

describe("resolveFunction", () => {
  test("finds a connector's function by its full name and a call of the language by its plain name", () => {
    expect(resolveFunction([http, libvirt], "vm.create:1@libvirt")).toEqual({ kind: "found", connector: libvirt, function: any });
    expect(resolveFunction([http, libvirt], "http")).toEqual({ kind: "found", connector: http, function: any });
  });

  test.each([
    ["vm.create:1@esx", 'there is no connector "esx"; there are: http, libvirt'],
    ["vm.delete:1@libvirt", 'connector libvirt has no function "vm.delete:1"; it has: vm.create:1'],
    ["vm.create:1", "write vm.create:1@<connector>"],
    ["grpc", 'no connector offers "grpc"'],
    ["constructor", 'no connector offers "constructor"'],
    ["toString@libvirt", 'has no function "toString"'],
  ])("%s is missing, with the reason", (name, reason) => {
    expect(resolveFunction([http, libvirt], name)).toEqual({ kind: "missing", reason: expect.stringContaining(reason) });
  });
});
