import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { Network, NETWORK_MODES, NotEmptyText, z } from "@tutti/connector-kit";
import { AppError, type Json } from "@tutti/model";
import { type DataDirectory, messageOf } from "./data-directory.ts";
import { parseData } from "./lint.ts";
import { type Destination, HeaderSettings, problemOfUrl } from "./delivery/destination.ts";
import type { SinkSettings } from "./lifecycle/lifecycle-sink.ts";
import { type ListenAddress, parseListenAddress } from "./metrics/listen-address.ts";

/** In the data directory: whichever process owns it works by the same rules, whatever its environment. */
const FILE = "settings.yaml";
const CA_VARIABLE = "TUTTI_CA_FILE";
/** Settings and certificates are small; anything else is the wrong file. */
const FILE_BYTES_MAX = 4 * 1024 * 1024;

const Url = z.string().superRefine((text, context) => {
  const problem = problemOfUrl(text);
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
});

/** More are a mistake, or want a broker between them. */
const SINKS_MAX = 8;

const Sink = z.strictObject({ url: Url, headers: HeaderSettings.default({}), types: z.array(NotEmptyText).default([]) });

const Settings = z.strictObject({
  network: z
    .strictObject({
      mode: z.enum(NETWORK_MODES).default("local"),
      allow: z.array(z.string()).default([]),
      deny: z.array(z.string()).default([]),
      cleartext: z.array(z.string()).default([]),
    })
    .prefault({}),
  files: z.strictObject({ allow: z.array(NotEmptyText).default([]) }).prefault({}),
  tls: z.strictObject({ authorities: z.array(NotEmptyText).default([]) }).prefault({}),
  containers: z.strictObject({ engine: NotEmptyText.optional() }).prefault({}),
  metrics: z
    .strictObject({
      listen: z
        .string()
        .refine((text) => parseListenAddress(text) !== undefined, "an address and a port are needed, such as 127.0.0.1:9464")
        .optional(),
    })
    .prefault({}),
  lifecycle: z
    .strictObject({
      sinks: z
        .array(Sink)
        .refine((sinks) => sinks.length <= SINKS_MAX, `at most ${SINKS_MAX} sinks`)
        .refine((sinks) => new Set(sinks.map(({ url }) => url)).size === sinks.length, "each sink has another address")
        .default([]),
    })
    .prefault({}),
  traces: z
    .strictObject({ endpoint: Url.optional(), headers: HeaderSettings.default({}), propagate: z.boolean().default(true) })
    .prefault({}),
});

/** What the operator of an installation has set, read once by the process that owns the data directory. */
export interface HostSettings {
  readonly network: Network;
  /** Directories that documents may refer to besides their own. */
  readonly directories: readonly string[];
  /** The socket of the container engine; undefined: DOCKER_HOST, or the usual places. */
  readonly containerEngine: string | undefined;
  /** Where a `tutti up` serves its metrics; undefined: nowhere. */
  readonly metrics: ListenAddress | undefined;
  readonly traces: {
    /** Where a `tutti up` sends its traces; undefined: where OpenTelemetry's environment says, if it does. */
    readonly destination: Destination | undefined;
    /** Whether calls tell the other side which span they belong to. */
    readonly propagate: boolean;
  };
  /** Who is told lifecycle events by a `tutti up`. */
  readonly sinks: readonly SinkSettings[];
  /** The way to what the operator named by its address: rules for workflows do not count, and the same authorities are trusted. */
  readonly operatorNetwork: Network;
}

/** Also what workflows may not call: whoever writes the settings says where things go. */
const EVERYWHERE = { mode: "local", allow: ["0.0.0.0/0", "::/0"], deny: [] } as const;

/**
 * Reads `settings.yaml` of the data directory, and TUTTI_CA_FILE from the environment. Without either the defaults hold.
 *
 * @throws AppError `settings-invalid` naming the file, the member and what it may be: a rule that is misread must not be passed over.
 */
export async function readSettings(
  directory: DataDirectory,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<HostSettings> {
  const path = join(directory.path, FILE);
  const parsed = Settings.safeParse(await readGiven(path));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalid(path, `${issue?.path.map(String).join(".") || "the whole"}: ${issue?.message ?? "invalid"}`);
  }
  const { files: allowed, network, tls, containers, metrics, traces, lifecycle } = parsed.data;
  const files = tls.authorities.map((file) => resolve(directory.path, file));
  for (const file of (environment[CA_VARIABLE] ?? "").split(delimiter)) if (file !== "") files.push(resolve(file));
  const certificateAuthorities = (await Promise.all(files.map(readAuthorities))).flat();
  return {
    network: new Network({ rules: network, certificateAuthorities }),
    containerEngine: containers.engine,
    metrics: metrics.listen === undefined ? undefined : parseListenAddress(metrics.listen),
    traces: {
      destination: traces.endpoint === undefined ? undefined : { url: traces.endpoint, headers: traces.headers },
      propagate: traces.propagate,
    },
    sinks: lifecycle.sinks,
    operatorNetwork: new Network({ rules: EVERYWHERE, certificateAuthorities }),
    directories: allowed.allow.map((one) => resolve(directory.path, one)),
  };
}

async function readGiven(path: string): Promise<Json> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return {};
    throw invalid(path, messageOf(cause), cause);
  }
  if (text.length > FILE_BYTES_MAX) throw invalid(path, `it is larger than ${FILE_BYTES_MAX / 1024 / 1024} MiB`);
  // Nothing but comments is a file without settings.
  if (text.split("\n").every((line) => /^\s*(?:#.*)?$/.test(line))) return {};
  try {
    return await parseData(text, path);
  } catch (cause) {
    throw invalid(path, messageOf(cause), cause);
  }
}

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates in a PEM file, each read once: a broken one is named now and not as a puzzling refusal of every call. */
async function readAuthorities(path: string): Promise<readonly string[]> {
  try {
    const text = await readFile(path, "utf8");
    const blocks = text.length > FILE_BYTES_MAX ? [] : (text.match(PEM_BLOCK) ?? []);
    if (blocks.length === 0) throw new Error("it holds no certificate in PEM form");
    for (const block of blocks) new X509Certificate(block);
    return blocks;
  } catch (cause) {
    throw invalid(path, `not usable as a list of trusted authorities: ${messageOf(cause)}`, cause);
  }
}

function invalid(path: string, why: string, cause?: unknown): AppError {
  return new AppError("settings-invalid", `${path}: ${why}.`.replace(/\.\.$/, "."), { details: { path }, cause });
}
