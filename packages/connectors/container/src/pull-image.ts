import { type Attempt, ConnectorError } from "@tutti/connector-kit";
import { isJsonObject, type Json } from "@tutti/model";
import { type Containers, refused } from "./containers.ts";
import type { ContainerSettings } from "./container-input.ts";
import type { EngineClient } from "./engine-client.ts";

/** A line of progress is short; more is not one. */
const LINE_CHARACTERS_MAX = 64 * 1024;
/** Between two signs of progress: a registry that is silent this long has gone. */
const SILENCE_MS = 120_000;

/**
 * Makes sure that the image is there, by the policy.
 *
 * @throws ConnectorError never-began: no container was made.
 */
export async function provideImage(
  settings: Pick<ContainerSettings, "image" | "pullPolicy">,
  tools: { readonly engine: EngineClient; readonly containers: Containers; readonly attempt: Attempt },
): Promise<void> {
  const { image, pullPolicy } = settings;
  if (pullPolicy !== "always" && (await tools.containers.hasImage(image))) return;
  if (pullPolicy === "never") {
    throw new ConnectorError(`The image ${image} is not there, and \`pullPolicy: never\` forbids to get it.`, {
      kind: "configuration",
      outcome: "never-began",
    });
  }
  await pull(image, tools.engine, tools.attempt);
}

async function pull(image: string, engine: EngineClient, attempt: Attempt): Promise<void> {
  attempt.log("info", `pulling ${image}`);
  const query = { fromImage: image, ...(hasTag(image) ? {} : { tag: "latest" }) };
  const response = await engine.open({ method: "POST", path: "/images/create", query, timeoutMs: SILENCE_MS, signal: attempt.signal });
  let line = "";
  let problem: string | undefined;
  try {
    response.setEncoding("utf8");
    // With an encoding set the stream yields strings; its type leaves that open.
    for await (const chunk of response as AsyncIterable<string>) {
      attempt.heartbeat();
      const lines = (line + chunk).split("\n");
      line = (lines.pop() ?? "").slice(0, LINE_CHARACTERS_MAX);
      for (const each of lines) problem ??= problemIn(each);
    }
  } catch (error) {
    throw failure(image, error instanceof Error ? error.message : String(error));
  } finally {
    response.destroy();
  }
  problem ??= problemIn(line);
  const status = response.statusCode ?? 0;
  if (status >= 400) throw failure(image, refused({ status, body: parse(line) ?? null }, "refused").message);
  if (problem !== undefined) throw failure(image, problem);
}

function failure(image: string, why: string): ConnectorError {
  const isFinal = /not found|denied|unauthorized|invalid reference|does not exist/i.test(why);
  return new ConnectorError(`The image ${image} could not be pulled: ${why}`, {
    kind: isFinal ? "configuration" : "communication",
    outcome: "never-began",
    retryable: !isFinal,
  });
}

/** A pull that fails halfway has said 200 long before. */
function problemIn(line: string): string | undefined {
  const parsed = parse(line);
  const error = isJsonObject(parsed) ? parsed["error"] : undefined;
  return typeof error === "string" ? error : undefined;
}

function parse(line: string): Json | undefined {
  try {
    return line.trim() === "" ? undefined : (JSON.parse(line) as Json);
  } catch {
    return undefined;
  }
}

/** `registry:5000/name` has none: a colon before the last slash is a port. */
function hasTag(image: string): boolean {
  return image.includes("@") || image.slice(image.lastIndexOf("/") + 1).includes(":");
}
