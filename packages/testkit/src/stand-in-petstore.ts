import type { JsonObject } from "@tutti/model";

interface Pet extends JsonObject {
  readonly id: number;
  readonly name: string;
  readonly status: string;
}

/** The pets that the conformance kit asks for, by id and by status. */
export const PETS: readonly Pet[] = [
  { id: 1, name: "Milou", status: "available", category: { id: 1, name: "Dogs" }, photoUrls: [], tags: [] },
  { id: 2, name: "Garfield", status: "available", category: { id: 2, name: "Cats" }, photoUrls: [], tags: [] },
  { id: 3, name: "Nemo", status: "sold", category: { id: 3, name: "Fishes" }, photoUrls: [], tags: [] },
];

/** A Swagger 2.0 document with the two operations that the kit calls; like the public one it names host, base path and both schemes. */
export function petstoreDocument(): JsonObject {
  return {
    swagger: "2.0",
    info: { title: "Petstore stand-in", version: "1.0.0" },
    host: "petstore.swagger.io",
    basePath: "/v2",
    schemes: ["https", "http"],
    paths: {
      "/pet/findByStatus": {
        get: {
          operationId: "findPetsByStatus",
          produces: ["application/json", "application/xml"],
          parameters: [
            {
              name: "status",
              in: "query",
              required: true,
              type: "array",
              items: { type: "string", enum: ["available", "pending", "sold"], default: "available" },
              collectionFormat: "multi",
            },
          ],
          responses: { 200: { description: "Pets of these states.", schema: { type: "array", items: { $ref: "#/definitions/Pet" } } } },
        },
      },
      "/pet/{petId}": {
        get: {
          operationId: "getPetById",
          produces: ["application/json", "application/xml"],
          parameters: [{ name: "petId", in: "path", required: true, type: "integer", format: "int64" }],
          responses: {
            200: { description: "The pet.", schema: { $ref: "#/definitions/Pet" } },
            404: { description: "There is no such pet." },
          },
        },
      },
    },
    definitions: {
      Pet: {
        type: "object",
        required: ["id", "name", "status"],
        properties: { id: { type: "integer", format: "int64" }, name: { type: "string" }, status: { type: "string" } },
      },
    },
  };
}
