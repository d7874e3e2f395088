import type { JsonObject } from "@tutti/model";
import type { Canaries, CanaryKind } from "./canaries.ts";
import { MCP_SERVER } from "./mcp-server.ts";
import { containers, faultedContainer, faultedGrpc, faultedMessage, grpc, type Hostile, messages } from "./service-workflows.ts";
import { ALL_KINDS, http, IDEMPOTENT, Sheet } from "./sheet.ts";

/** A workflow that uses secrets where a user can. */
export interface CanaryWorkflow {
  readonly name: string;
  readonly document: JsonObject;
  /** How its run ends. */
  readonly status: "completed" | "faulted";
}

const HEAD_KINDS: readonly CanaryKind[] = ["token", "special", "login"];

/** Every workflow of the test that a command starts, each secret of each used in one place. */
export function canaryWorkflows(canaries: Canaries, { origin, grpcPort }: Hostile): readonly CanaryWorkflow[] {
  const sheet = (): Sheet => new Sheet(canaries);
  return [
    { name: "places", document: places(sheet(), origin), status: "completed" },
    { name: "answers", document: answers(sheet(), origin), status: "completed" },
    { name: "transformed", document: transformed(sheet(), origin), status: "completed" },
    { name: "failing", document: failing(sheet(), origin), status: "completed" },
    { name: "authentication", document: authentication(sheet(), origin), status: "completed" },
    { name: "protocols", document: protocols(sheet(), origin), status: "completed" },
    { name: "programs", document: programs(sheet()), status: "completed" },
    { name: "containers", document: containers(sheet()), status: "completed" },
    { name: "messages", document: messages(sheet(), origin), status: "completed" },
    { name: "grpc", document: grpc(sheet(), { origin, grpcPort }), status: "completed" },
    { name: "passed-on", document: passedOn(sheet(), origin), status: "completed" },
    { name: "faulted-http", document: faultedHttp(sheet(), origin), status: "faulted" },
    { name: "faulted-shell", document: faultedShell(sheet()), status: "faulted" },
    { name: "raised", document: raised(sheet(), origin), status: "faulted" },
    { name: "faulted-container", document: faultedContainer(sheet()), status: "faulted" },
    { name: "faulted-message", document: faultedMessage(sheet(), origin), status: "faulted" },
    { name: "faulted-grpc", document: faultedGrpc(sheet(), { origin, grpcPort }), status: "faulted" },
  ];
}

function places(sheet: Sheet, origin: string): JsonObject {
  for (const kind of HEAD_KINDS) {
    sheet.tryOut(
      `header-${kind}`,
      http({ endpoint: `${origin}/echo`, headers: { "X-Key": sheet.reveal(kind), Cookie: sheet.reveal(kind) } }),
    );
    sheet.tryOut(
      `user-info-${kind}`,
      http({ endpoint: { uri: sheet.reveal(kind, `"http://user:" + @uri + "@${new URL(origin).host}/echo"`) } }),
    );
  }
  for (const kind of ALL_KINDS) {
    sheet.tryOut(
      `query-${kind}`,
      http({ endpoint: `${origin}/echo`, query: { key: sheet.reveal(kind), again: sheet.reveal(kind, '"[" + . + "]"') } }),
    );
    sheet.tryOut(`body-${kind}`, http({ endpoint: `${origin}/echo`, body: { deep: [{ key: sheet.reveal(kind) }] } }));
    sheet.tryOut(`text-${kind}`, http({ endpoint: `${origin}/echo`, body: sheet.reveal(kind, '"before " + . + " after"') }));
    sheet.tryOut(
      `form-${kind}`,
      http({
        endpoint: `${origin}/echo`,
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: { key: sheet.reveal(kind) },
      }),
    );
    sheet.tryOut(`path-${kind}`, http({ endpoint: { uri: sheet.reveal(kind, `"${origin}/echo/" + @uri`) } }));
    // As it is: the URL's own rules escape some of it, and in another way. What stands behind a # is not sent, so no server tells the whole.
    if (kind !== "special")
      sheet.tryOut(`raw-path-${kind}`, http({ endpoint: { uri: sheet.reveal(kind, `"${origin}/echo/" + . + "?key=" + .`) } }));
  }
  return sheet.document("places");
}

function answers(sheet: Sheet, origin: string): JsonObject {
  for (const mode of ["echo", "text", "encodings", "status", "cut", "bad-json", "binary"]) {
    for (const kind of ALL_KINDS) {
      for (const output of mode === "encodings" ? ["response"] : ["content", "raw", "response"]) {
        sheet.tryOut(`${mode}-${kind}-${output}`, http({ endpoint: `${origin}/${mode}`, output, body: { key: sheet.reveal(kind) } }));
      }
    }
  }
  for (const redirect of [true, false]) {
    for (const kind of ALL_KINDS)
      sheet.tryOut(`redirect-${redirect}-${kind}`, http({ endpoint: `${origin}/redirect`, redirect, body: { key: sheet.reveal(kind) } }));
  }
  return sheet.document("answers");
}

/** Ways in which an expression may write a secret that are recognised. */
const TRANSFORMS: Readonly<Record<string, string>> = {
  base64: "@base64",
  "base64-of-more": '("user:" + . + ":" | @base64)',
  uri: "@uri",
  html: "@html",
  sh: "@sh",
  json: "@json",
  "json-twice": "(@json | @json)",
  csv: "([.] | @csv)",
  joined: '("a-" + . + "-b" + .)',
  split: '[., (. + "x")]',
  keyed: "{(.): 1}",
};

function transformed(sheet: Sheet, origin: string): JsonObject {
  for (const [name, transform] of Object.entries(TRANSFORMS)) {
    for (const kind of ALL_KINDS)
      sheet.tryOut(`${name}-${kind}`, http({ endpoint: `${origin}/echo`, body: { key: sheet.reveal(kind, transform) } }));
  }
  return sheet.document("transformed");
}

/** Expressions and arguments that fail because of what the secret is. */
function failing(sheet: Sheet, origin: string): JsonObject {
  for (const [name, transform] of [
    ["number", "tonumber"],
    ["sum", ". + 1"],
    ["index", ".foo"],
    ["index-by", ". as $s | [1] | .[$s]"],
    ["iterate", ".[]"],
    ["date", 'strptime("%Y")'],
    ["from-json", "fromjson"],
    ["error", "error"],
    ["error-object", "error({why: .})"],
    ["base64d", '. + "%%%" | @base64d'],
    ["split", "split(1)"],
    ["has", "has(0)"],
    ["implode", "[.] | implode"],
  ] as const) {
    for (const kind of ["token", "special"] as const)
      sheet.tryOut(`${name}-${kind}`, http({ endpoint: `${origin}/echo`, body: sheet.reveal(kind, transform) }));
  }
  sheet.tryOut("no-host", http({ endpoint: { uri: sheet.reveal("token", '"http://" + . + ".invalid/" + @uri') } }));
  for (const kind of ALL_KINDS) {
    sheet.tryOut(`no-url-${kind}`, http({ endpoint: { uri: sheet.reveal(kind) } }));
    sheet.tryOut(`no-scheme-${kind}`, http({ endpoint: { uri: sheet.reveal(kind, '"gopher://host/" + .') } }));
    sheet.tryOut(`method-${kind}`, http({ endpoint: `${origin}/echo`, method: sheet.reveal(kind) }));
    sheet.tryOut(`unknown-${kind}`, http({ endpoint: `${origin}/echo`, headers: sheet.reveal(kind) }));
    sheet.tryOut(`header-${kind}`, http({ endpoint: `${origin}/echo`, headers: { "X-Key": sheet.reveal(kind) } }));
    sheet.tryOut(`header-name-${kind}`, http({ endpoint: `${origin}/echo`, headers: sheet.reveal(kind, '{(. + " "): "x"}') }));
  }
  return sheet.document("failing");
}

function authentication(sheet: Sheet, origin: string): JsonObject {
  const call = (mode: string, policy: JsonObject): JsonObject => http({ endpoint: { uri: `${origin}/${mode}`, authentication: policy } });
  const client = (secret: string): JsonObject => ({ id: "tutti", secret });
  for (const mode of ["echo", "status", "text", "encodings"]) {
    for (const kind of ["token", "special", "unicode"] as const) {
      sheet.tryOut(`basic-${mode}-${kind}`, call(mode, { basic: { username: "ana", password: sheet.reveal(kind) } }));
      if (kind !== "unicode") sheet.tryOut(`bearer-${mode}-${kind}`, call(mode, { bearer: { token: sheet.reveal(kind) } }));
    }
    sheet.tryOut(`basic-use-${mode}`, call(mode, { basic: { use: sheet.secret("login").name } }));
    sheet.tryOut(`bearer-use-${mode}`, call(mode, { bearer: { use: sheet.secret("token").name } }));
  }
  sheet.tryOut("digest", call("digest", { digest: { use: sheet.secret("login").name } }));
  sheet.tryOut("digest-inline", call("digest", { digest: { username: "ana", password: sheet.reveal("special") } }));
  sheet.tryOut("bearer-wrong-shape", call("echo", { basic: { use: sheet.secret("special").name } }));
  for (const [way, authority] of [
    ["client_secret_post", "token"],
    ["client_secret_basic", "token"],
    ["client_secret_post", "refuse"],
    ["client_secret_basic", "refuse"],
    ["client_secret_post", "status"],
    ["client_secret_post", "no-token"],
    ["client_secret_jwt", "token"],
  ] as const) {
    sheet.tryOut(
      `oauth2-${way}-${authority}`,
      call("echo", {
        oauth2: {
          authority: origin,
          grant: "client_credentials",
          endpoints: { token: `/${authority}` },
          client: { ...client(sheet.reveal("special")), authentication: way },
        },
      }),
    );
  }
  sheet.tryOut(
    "oauth2-password",
    call("echo", {
      oauth2: {
        authority: origin,
        grant: "password",
        endpoints: { token: "/refuse" },
        client: client(sheet.reveal("token")),
        username: "ana",
        password: sheet.reveal("special"),
      },
    }),
  );
  sheet.tryOut(
    "oidc",
    call("encodings", { oidc: { authority: origin, grant: "client_credentials", client: client(sheet.reveal("special")) } }),
  );
  return sheet.document("authentication", {
    use: { authentications: { shared: { bearer: { token: "none" } } } },
  });
}

function protocols(sheet: Sheet, origin: string): JsonObject {
  const document = { endpoint: `${origin}/openapi.json` };
  for (const operationId of ["tell", "fail"]) {
    for (const kind of ["token", "special", "unicode"] as const) {
      sheet.tryOut(`openapi-${operationId}-${kind}`, {
        call: "openapi",
        with: {
          document,
          operationId,
          output: "response",
          parameters: {
            path: sheet.reveal(kind),
            q: sheet.reveal(kind),
            "X-Key": sheet.reveal(kind === "unicode" ? "token" : kind),
            ...(operationId === "tell" && { body: { key: sheet.reveal(kind) } }),
          },
          authentication: { basic: { username: "ana", password: sheet.reveal(kind) } },
        },
        ...IDEMPOTENT,
      });
    }
  }
  sheet.tryOut("openapi-wrong", {
    call: "openapi",
    with: { document, operationId: sheet.reveal("special"), parameters: {} },
    ...IDEMPOTENT,
  });
  for (const kind of ALL_KINDS) {
    sheet.tryOut(`mcp-${kind}`, {
      call: "mcp",
      with: {
        method: "tools/call",
        parameters: { name: "tell", arguments: { key: sheet.reveal(kind) } },
        transport: { stdio: { command: process.execPath, arguments: ["-e", MCP_SERVER], environment: { KEY: sheet.reveal(kind) } } },
      },
      ...IDEMPOTENT,
    });
  }
  sheet.tryOut("mcp-refused", {
    call: "mcp",
    with: {
      method: "tools/call",
      parameters: { name: sheet.reveal("special"), arguments: {} },
      transport: { http: { endpoint: `${origin}/status`, headers: { "X-Key": sheet.reveal("special") } } },
    },
    ...IDEMPOTENT,
  });
  return sheet.document("protocols");
}

/** What a program may do with a secret, as shells and languages do it; `$KEY` is the secret. */
const SHELL_WAYS: Readonly<Record<string, string>> = {
  raw: 'printf "%s" "$KEY"; printf "%s\\n" "$KEY" >&2',
  "in-pieces": 'for i in $(seq 0 5 400); do printf "%s" "${KEY:$i:5}"; [ $i -lt 60 ] && sleep 0.01; done; echo " end"',
  base64: 'printf "user:%s" "$KEY" | base64; printf "%s" "$KEY" | base64 -w 0 >&2',
  hex: 'printf "%s" "$KEY" | od -An -v -tx1 | tr -d " \\n"',
  quoted: 'printf "%q\\n" "$KEY"; set -x; : "$KEY"',
  failing: 'echo "the key is $KEY" >&2; exit 3',
  // The end of what a failing program said is kept: the secret lies across the cut.
  cut: 'printf "%s" "$KEY" >&2; head -c 2040 /dev/zero | tr "\\0" z >&2; exit 4',
  unknown: '"$KEY"',
  syntax: 'eval "$KEY ("',
  long: 'for i in $(seq 200); do printf "%s" "$KEY"; done',
};

function programs(sheet: Sheet): JsonObject {
  for (const [name, command] of Object.entries(SHELL_WAYS)) {
    for (const kind of ALL_KINDS) {
      for (const wanted of name === "raw" ? ["stdout", "all"] : ["all"]) {
        sheet.tryOut(`${name}-${kind}-${wanted}`, {
          run: {
            shell: { command, environment: { KEY: sheet.reveal(kind) } },
            ...(name !== "failing" && name !== "cut" && { return: wanted }),
          },
          ...IDEMPOTENT,
        });
      }
    }
  }
  for (const kind of ALL_KINDS) {
    sheet.tryOut(`javascript-${kind}`, {
      run: {
        script: {
          language: "js",
          code: "console.log(JSON.stringify(process.env.KEY)); console.error(encodeURIComponent(process.env.KEY)); throw new Error(process.env.KEY);",
          environment: { KEY: sheet.reveal(kind) },
        },
      },
      ...IDEMPOTENT,
    });
    sheet.tryOut(`no-program-${kind}`, {
      run: {
        script: { language: "python", code: "import os, sys\nsys.exit(os.environ['KEY'])", environment: { KEY: sheet.reveal(kind) } },
        return: "all",
      },
      ...IDEMPOTENT,
    });
  }
  return sheet.document("programs");
}

/** What came back goes on through the run: its data, its child, its events, its locks. */
function passedOn(sheet: Sheet, origin: string): JsonObject {
  sheet.add("ask", {
    ...http({ endpoint: `${origin}/encodings`, body: { key: sheet.reveal("special") } }),
    export: { as: "{ heard: . }" },
  });
  sheet.add("emit", {
    emit: { event: { with: { source: "urn:canary", type: "canary.heard", subject: "x", data: { heard: "${ $context.heard }" } } } },
  });
  sheet.add("child", {
    run: { workflow: { namespace: "canary", name: "child", version: "1.0.0", input: { heard: "${ $context.heard }" } } },
  });
  sheet.add("lock", {
    set: { a: "${ $context.heard.content[0][1] }" },
    metadata: { tutti: { concurrency: { key: "$context.heard.content[0][1]", limit: 1 } } },
  });
  sheet.add("choose", { switch: [{ found: { when: '$context.heard.content[0][1] == "never"', then: "end" } }] });
  sheet.add("each", { for: { in: "$context.heard.content" }, do: [{ one: { set: { item: "${ $item }" } } }] });
  return sheet.document("passed-on", { output: { as: "{ all: ., heard: $context }" } });
}

function faultedHttp(sheet: Sheet, origin: string): JsonObject {
  sheet.add(
    "ask",
    http({ endpoint: { uri: sheet.reveal("special", `"${origin}/status/" + @uri`) }, body: { key: sheet.reveal("unicode") } }),
  );
  return sheet.document("faulted-http");
}

function faultedShell(sheet: Sheet): JsonObject {
  sheet.add("fail", {
    run: { shell: { command: 'echo "$KEY"; echo "no: $KEY" >&2; exit 1', environment: { KEY: sheet.reveal("special") } } },
  });
  return sheet.document("faulted-shell");
}

function raised(sheet: Sheet, origin: string): JsonObject {
  sheet.add("ask", http({ endpoint: `${origin}/text`, body: { key: sheet.reveal("special") } }));
  sheet.add("fail", {
    raise: { error: { type: "https://example.com/refused", status: 400, title: '${ "no: " + (. | tojson) }', detail: "${ . | tojson }" } },
  });
  return sheet.document("raised");
}
