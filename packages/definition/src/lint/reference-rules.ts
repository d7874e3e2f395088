import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { joinPointer } from "../json-pointer.ts";
import { didYouMean } from "../nearest-name.ts";
import { AUTHENTICATION_SCHEMES } from "../schema/authentication.ts";
import { type LintContext, listAt, member, textAt } from "./context.ts";

/** Names of `use`: retries, timeouts, errors, authentications, secrets, and names that occur twice there. */
export function checkReferences(context: LintContext): void {
  const { document, use } = context;
  checkName(context, "timeouts", textAt(document, "timeout"), "/timeout");
  checkSecretNames(context);
  for (const { task, pointer } of context.sites) {
    checkName(context, "timeouts", textAt(task, "timeout"), joinPointer(pointer, "timeout"));
    checkName(context, "retries", textAt(member(task, "catch"), "retry"), joinPointer(pointer, "catch", "retry"));
    checkName(context, "errors", textAt(member(task, "raise"), "error"), joinPointer(pointer, "raise", "error"));
    const call = textAt(task, "call");
    if (call === "http" || call === "openapi" || call === "grpc" || call === "asyncapi" || call === "a2a" || call === "mcp") {
      checkAuthentications(context, member(task, "with"), joinPointer(pointer, "with"));
    }
    checkAuthentications(context, member(task, "run"), joinPointer(pointer, "run"));
  }
  checkAuthentications(context, member(use, "catalogs"), "/use/catalogs");
  for (const [name, policy] of Object.entries(member(use, "authentications")))
    checkSecrets(context, policy, joinPointer("/use/authentications", name));
}

/** What the entries of a part of `use` are called in messages. */
const KINDS = { timeouts: "timeout", retries: "retry policy", errors: "error", authentications: "authentication" } as const;

function checkName(context: LintContext, part: keyof typeof KINDS, name: string | undefined, pointer: string): void {
  if (name === undefined) return;
  const known = member(context.use, part);
  if (Object.hasOwn(known, name)) return;
  context.error(`unknown-${KINDS[part].split(" ")[0]}`, {
    pointer,
    message: `There is no ${KINDS[part]} \`${name}\` in \`use.${part}\`.`,
    hint: () => didYouMean(name, Object.keys(known)),
  });
}

function checkSecretNames(context: LintContext): void {
  const seen = new Set<Json>();
  for (const [index, name] of listAt(context.use, "secrets").entries()) {
    if (seen.has(name))
      context.error("duplicate-secret", {
        pointer: joinPointer("/use/secrets", index),
        message: `The secret ${JSON.stringify(name)} is listed twice.`,
      });
    seen.add(name);
  }
}

/** `authentication` objects at any depth of a call's arguments; data such as `body` is no place for them. */
function checkAuthentications(context: LintContext, value: Json, pointer: string): void {
  if (!isJsonObject(value)) return;
  for (const [key, item] of Object.entries(value)) {
    if (
      key === "body" ||
      key === "parameters" ||
      key === "arguments" ||
      key === "environment" ||
      key === "payload" ||
      key === "input" ||
      key === "foreach"
    )
      continue;
    const at = joinPointer(pointer, key);
    if (key !== "authentication" || !isJsonObject(item)) {
      checkAuthentications(context, item, at);
      continue;
    }
    checkName(context, "authentications", textAt(item, "use"), joinPointer(at, "use"));
    checkSecrets(context, item, at);
  }
}

/** `{ basic: { use: … } }` takes its credentials from a secret. */
function checkSecrets(context: LintContext, policy: Json, pointer: string): void {
  if (!isJsonObject(policy)) return;
  for (const scheme of AUTHENTICATION_SCHEMES) {
    const name = textAt(member(policy, scheme), "use");
    if (name !== undefined) checkSecret(context, name, { pointer: joinPointer(pointer, scheme, "use") });
  }
}

/** A secret must be declared where everybody sees what a workflow uses. */
export function checkSecret(context: LintContext, name: string, at: { readonly pointer: string; readonly offset?: number }): void {
  if (context.secrets.has(name)) return;
  context.error("unknown-secret", {
    ...at,
    message: `The secret \`${name}\` is not listed in \`use.secrets\`.`,
    hint: () => didYouMean(name, context.secrets),
  });
}

/** Members of `use` by name, for rules that follow references. */
export function useEntry(context: LintContext, part: string, name: string): JsonObject | undefined {
  const entries = member(context.use, part);
  return Object.hasOwn(entries, name) && isJsonObject(entries[name]) ? entries[name] : undefined;
}
