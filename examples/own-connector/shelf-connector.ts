import { buildHeaders, exchange, httpClient, parseUrl } from "@tutti/connector-http";
import { type Connector, ConnectorError, defineConnector, parseInput, type ProviderAccess, readProvider, z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";

// A connector for a small HTTP service, as docs/connectors.md tells to write one.

const http = httpClient();
const SCHEMAS = { configuration: z.strictObject({ url: z.url() }), credentials: z.strictObject({ key: z.string() }) };
const Box = z.object({ id: z.string(), size: z.number(), label: z.string() });
const CreateInput = z.strictObject({ size: z.number().int().min(1) });
const DeleteInput = z.strictObject({ id: z.string().min(1), label: z.string().optional() });
const TIMES = { requestTimeoutMs: http.limits.headTimeoutMs, settleMs: 0 };

/** Boxes on the shelf. A box is labelled with the token of the call that made it. */
export function shelfConnector(): Connector {
  return defineConnector({
    name: "shelf",
    version: "1.0.0",
    target: { system: "The shelf service", tested: "the one of this example" },
    ...SCHEMAS,
    check: async (access) => {
      await listBoxes(access);
      return { status: "healthy", version: undefined };
    },
    resources: {
      box: {
        title: "A box on the shelf",
        schema: Box,
        id: (box) => Box.parse(box).id,
        token: (box) => Box.parse(box).label,
        read: loadBox,
        list: listBoxes,
      },
    },
    functions: {
      // Findable: the label is the token. Not unique: the shelf takes two boxes of one label, so it is looked for before it is made again.
      "box.create:1": {
        ...TIMES,
        title: "Put a box on the shelf",
        input: CreateInput,
        output: Box,
        effect: "findable",
        creates: "box",
        undo: { call: "box.delete:1", with: { id: "${ .output.id }", label: "${ .output.label }" } },
        run: async (given, attempt) => {
          const { size } = parseInput(CreateInput, given);
          return Box.parse(await ask(attempt, "POST", "/boxes", { body: { size, label: attempt.token }, as: Box }));
        },
        find: async (_given, attempt) => (await listBoxes(attempt)).find(({ label }) => label === attempt.token),
      },
      // Idempotent: what is gone is gone.
      "box.delete:1": {
        ...TIMES,
        title: "Take a box from the shelf",
        input: DeleteInput,
        output: z.strictObject({ id: z.string() }),
        effect: "idempotent",
        deletes: "box",
        irreversible: true,
        run: async (given, attempt) => {
          const { id, label } = parseInput(DeleteInput, given);
          const box = await loadBox(id, attempt);
          if (box !== undefined && label !== undefined && box.label !== label)
            throw new ConnectorError(`${id} is labelled by somebody else, so it stays.`, { kind: "validation", outcome: "answered" });
          if (box !== undefined) await ask(attempt, "DELETE", `/boxes/${id}`, { as: Box, absent: true });
          return { id };
        },
        preview: async (given, attempt) => {
          const { id } = parseInput(DeleteInput, given);
          const before = await loadBox(id, attempt);
          const effects = before === undefined ? [] : [{ kind: "delete" as const, resource: "box", name: id, before, isReversible: false }];
          return { effects, output: { id } };
        },
      },
    },
  });
}

async function listBoxes(access: ProviderAccess): Promise<readonly z.infer<typeof Box>[]> {
  return (await ask(access, "GET", "/boxes", { as: z.array(Box) })) ?? [];
}

async function loadBox(id: string, access: ProviderAccess): Promise<z.infer<typeof Box> | undefined> {
  return ask(access, "GET", `/boxes/${encodeURIComponent(id)}`, { as: Box, absent: true });
}

/** One request. With `absent` a 404 is undefined and no error. */
async function ask<Schema extends z.ZodType>(
  access: ProviderAccess,
  method: string,
  path: string,
  how: { readonly as: Schema; readonly body?: Json; readonly absent?: boolean },
): Promise<z.infer<Schema> | undefined> {
  const { name, configuration, credentials } = readProvider(SCHEMAS, access);
  const headers = buildHeaders({ authorization: `Bearer ${credentials.key}`, "content-type": "application/json" });
  const request = { method, url: parseUrl(`${configuration.url}${path}`), headers, followRedirects: false };
  const body = how.body === undefined ? undefined : JSON.stringify(how.body);
  // Says itself what is known when there is no answer.
  const answer = await exchange(http.send, { ...request, body }, { ...http.limits, signal: access.signal });
  const { status } = answer;
  if (status === 404 && how.absent === true) return undefined;
  if (status === 401)
    throw new ConnectorError(`The shelf does not take the key of ${name}: correct its secret.`, {
      kind: "authentication",
      outcome: "answered",
    });
  if (status >= 300) {
    const said = access.masked(answer.body.toString("utf8")).slice(0, 200);
    const kind = status < 500 ? "validation" : "communication";
    throw new ConnectorError(`The shelf answered ${status}: ${said}`, { kind, outcome: "answered", status, retryable: status >= 500 });
  }
  const parsed = how.as.safeParse(parseJson(answer.body.toString("utf8")));
  if (parsed.success) return parsed.data;
  const outcome = method === "GET" ? "answered" : "unknown";
  throw new ConnectorError("What answers there is no shelf: correct the provider's url.", { kind: "communication", outcome });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
