import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type StandIn, startStandIn } from "./stand-in.ts";

let standIn: StandIn;
beforeAll(async () => {
  standIn = await startStandIn();
});
afterAll(() => standIn.stop());

describe("the stand-in", () => {
  test.each([
    ["https://petstore.swagger.io/v2/pet/1", 200, { id: 1, name: "Milou", status: "available" }],
    ["https://petstore.swagger.io/v2/pet/2", 200, { id: 2, name: "Garfield" }],
    ["https://petstore.swagger.io/v2/pet/99", 404, { message: "Pet not found" }],
    ["https://petstore.swagger.io/v2/pet/getPetByName/Milou", 404, { message: "Pet not found" }],
    ["https://petstore.swagger.io/v2/pet/findByStatus?status=available", 200, [{ id: 1 }, { id: 2 }]],
    ["https://petstore.swagger.io/v2/pet/findByStatus?status=pending", 200, []],
    ["https://petstore.swagger.io/v2/swagger.json", 200, { swagger: "2.0", host: "petstore.swagger.io" }],
    ["https://elsewhere.example/", 404, { message: "The stand-in knows no GET elsewhere.example/." }],
  ])("%s answers %i", async (url, status, body) => {
    const response = await standIn.fetch(url);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject(body);
  });

  test("basic authentication is checked", async () => {
    const url = "https://httpbin.org/basic-auth/user/secret";
    expect((await standIn.fetch(url)).status).toBe(401);
    const authorization = `Basic ${Buffer.from("user:secret").toString("base64")}`;
    expect((await standIn.fetch(url, { headers: { authorization } })).status).toBe(200);
    expect(standIn.requests.at(-1)).toMatchObject({ host: "httpbin.org", path: "/basic-auth/user/secret", headers: { authorization } });
  });

  test("a test's own route comes first", async () => {
    standIn.route((request, url) => (url.host === "ticket.example" ? { status: 201, json: { echoed: request.body } } : undefined));
    const response = await standIn.fetch("https://ticket.example/new", { method: "POST", body: "hello" });
    expect([response.status, await response.json()]).toEqual([201, { echoed: "hello" }]);
  });
});
