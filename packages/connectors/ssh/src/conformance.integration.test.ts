import { writeFile } from "node:fs/promises";
import { connectorLaws, type ConnectorUnderTest, type GivenToCase } from "@tutti/connector-kit/conformance";
import { isJsonObject, type JsonObject } from "@tutti/model";
import { hasLab } from "@tutti/testkit/lab";
import { afterAll, beforeAll, describe, test } from "vitest";
import { openAt, type SshHost, startSshHost } from "./ssh-for-tests.ts";
import { sshConnector } from "./ssh-connector.ts";

let host: SshHost | undefined;

function theHost(): SshHost {
  if (host === undefined) throw new Error("the host is started before the laws are asked");
  return host;
}

/** The host is this machine. */
async function file({ name }: Pick<GivenToCase, "name">): Promise<JsonObject> {
  const path = `${theHost().files}/${name}`;
  await writeFile(path, `before ${name}\n`, { mode: 0o640 });
  return { path };
}

/** What a call did, for an undo of it. */
async function written({ name, call }: GivenToCase): Promise<JsonObject & { readonly path: string }> {
  const path = `${theHost().files}/${name}`;
  await writeFile(path, "before\n");
  const output = await call("file.write:1", { path, content: "after\n" });
  if (!isJsonObject(output)) throw new Error("a file was written");
  const { token = "", before = null, after = null } = output;
  return { path, token, before, after };
}

async function made({ name, call }: GivenToCase): Promise<JsonObject & { readonly path: string }> {
  const path = `${theHost().files}/${name}/x`;
  const output = await call("directory.ensure:1", { path, mode: "0700" });
  if (!isJsonObject(output)) throw new Error("a directory was made");
  const { before = null, after = null, top = "" } = output;
  return { path, before, after, top };
}

/** Each run makes another file, so that a second one would be seen. */
const ONCE = 'cat > "$1/$NAME.$(date +%s%N)"; echo out; echo err >&2; exit 3';

const FUNCTIONS: ConnectorUnderTest["functions"] = {
  "command.run:1": {
    input: ({ name }) => ({ command: "cat; pwd", directory: theHost().files, environment: { NAME: name }, stdin: { name } }),
    refused: () => ({ command: ["/bin/sh", "-c", "exit 7"] }),
  },
  "script.run:1": {
    input: ({ name }) => ({ script: ONCE, arguments: [theHost().files], environment: { NAME: name }, stdin: name, codes: [0, 3] }),
    refused: () => ({ script: "exit 7" }),
  },
  "file.write:1": {
    input: async (given) => ({ ...(await file(given)), content: "é\n", mode: "0600", owner: "nobody", group: "nogroup" }),
    refused: ({ name }) => ({ path: `${theHost().files}/${name}/no-such/directory`, content: "" }),
  },
  "file.read:1": { input: file, refused: ({ name }) => ({ path: `${theHost().files}/${name}` }) },
  "file.delete:1": { input: file, refused: () => ({ path: theHost().files }) },
  "file.restore:1": {
    input: written,
    refused: async (given) => {
      const input = await written(given);
      await writeFile(input.path, "somebody else's\n");
      return input;
    },
  },
  "directory.ensure:1": {
    input: ({ name }) => ({ path: `${theHost().files}/${name}/above/it`, mode: "0711", owner: "nobody" }),
    refused: file,
  },
  "directory.restore:1": {
    input: made,
    refused: async (given) => {
      const input = await made(given);
      await writeFile(`${input.path}/of-others`, "");
      return input;
    },
  },
  "host.facts:1": { input: () => ({}) },
  "host.await:1": { input: () => ({ withinSeconds: 0 }) },
};

/** The real sshd of `lab/sshd.sh`. */
const UNDER_TEST: ConnectorUnderTest = {
  connector: sshConnector(),
  functions: FUNCTIONS,
  open: openAt(theHost),
  cleanUp: () => theHost().empty(),
};

describe.skipIf(!hasLab)("ssh on the real OpenSSH", () => {
  beforeAll(async () => {
    host = await startSshHost();
  });
  afterAll(async () => host?.stop());

  for (const law of connectorLaws(UNDER_TEST)) test(`${law.name}`, () => law.run());
});
