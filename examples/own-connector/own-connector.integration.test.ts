import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connectorLaws, type ConnectorUnderTest, httpTarget } from "@tutti/connector-kit/conformance";
import { isJsonObject } from "@tutti/model";
import { afterAll, beforeAll, expect, test } from "vitest";
import { shelfConnector } from "./shelf-connector.ts";
import { ShelfService } from "./shelf-service.ts";

const KEY = "shelf-key-0123456789";
/** What docs promise to whoever writes a connector of this kind. */
const LINES_MAX = 150;

const service = new ShelfService(KEY);
let url = "";
beforeAll(async () => {
  url = await service.start();
});
afterAll(() => service.stop());

const provider = (key: string) => (at: string) => ({ name: "shelf", configuration: { url: at }, credentials: { key } });
const described: ConnectorUnderTest = {
  connector: shelfConnector(),
  open: (fault) => httpTarget({ url, provider: provider(KEY), denied: provider("another-key-0123456789") })(fault),
  cleanUp: async () => service.boxes.clear(),
  functions: {
    "box.create:1": { input: () => ({ size: 3 }), refused: () => ({ size: 1000 }) },
    "box.delete:1": {
      input: async ({ call }) => {
        const box = await call("box.create:1", { size: 1 });
        return { id: (isJsonObject(box) ? box["id"] : undefined) ?? "" };
      },
    },
  },
};

for (const law of connectorLaws(described)) test(`${law.name}`, () => law.run());

test(`the connector takes less than ${LINES_MAX} lines`, () => {
  const text = readFileSync(join(import.meta.dirname, "shelf-connector.ts"), "utf8");
  expect(text.split("\n").length).toBeLessThan(LINES_MAX);
});
