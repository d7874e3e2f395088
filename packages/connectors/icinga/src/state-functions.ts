import { setTimeout as pause } from "node:timers/promises";
import type { HttpClient } from "@tutti/connector-http";
import { type ConnectorFunction, ConnectorError, parseInput, z } from "@tutti/connector-kit";
import type { JsonObject, Token } from "@tutti/model";
import { checkableOf, type Found, idOf, type Kind, nameOf, type Reference, State, stateOf, theObject, TokenText } from "./checkables.ts";
import { type ApiEnd, IcingaApi } from "./icinga-api.ts";
import { named, namedBy, referenceIn } from "./object-functions.ts";

const AWAIT_SECONDS_MAX = 24 * 3600;
const AWAIT_SECONDS = 300;
const LOOK_EVERY_MS = 1000;
const TEXT_MAX = 64_000;
const PERFORMANCE_MAX = 200;
/** Icinga's number for the comment of an acknowledgement. */
const ACKNOWLEDGEMENT = 4;
const STATES = { host: ["up", "down"], service: ["ok", "warning", "critical", "unknown"] } as const;

const Text = z.string().min(1).max(TEXT_MAX);
export const Author = z.string().min(1).max(200).default("Tutti").meta({ description: "Who is told to have done it" });
const Comment = z.object({ attrs: z.looseObject({ text: z.string(), entry_type: z.number() }) });

/** What concerns the state of hosts, or of services. */
export function stateFunctions(http: HttpClient, kind: Kind): Readonly<Record<string, ConnectorFunction>> {
  return {
    [`${kind}.await:1`]: awaitState(http, kind),
    [`${kind}.acknowledge:1`]: acknowledge(http, kind),
    [`${kind}.unacknowledge:1`]: unacknowledge(http, kind),
    [`${kind}.submit-result:1`]: submitResult(http, kind),
    [`${kind}.reschedule-check:1`]: reschedule(http, kind),
  };
}

function awaitState(http: HttpClient, kind: Kind): ConnectorFunction {
  const Input = namedBy(kind).extend({
    states: z
      .array(z.enum(STATES[kind] as readonly [string, ...string[]]))
      .min(1)
      .default([STATES[kind][0]])
      .meta({ description: "Any of these" }),
    isHard: z.boolean().default(true).meta({ description: "Only when it has been confirmed by as many checks as it takes" }),
    withinSeconds: z.int().min(0).max(AWAIT_SECONDS_MAX).default(AWAIT_SECONDS),
  });
  return {
    ...timesOf(http),
    title: `Wait until a ${kind} is in a state`,
    input: Input,
    output: State,
    effect: "read",
    run: async (given, attempt) => {
      const { states, isHard, withinSeconds, ...rest } = parseInput(Input, given);
      const reference = referenceIn(rest);
      const api = new IcingaApi(http, attempt);
      const endAt = performance.now() + withinSeconds * 1000;
      for (;;) {
        const now = stateOf(await theObject(api, reference));
        if (states.includes(now.state) && (now.isHard || !isHard)) return now;
        if (performance.now() >= endAt)
          throw api.late(
            `The ${nameOf(reference)} is ${now.state}${now.isHard ? "" : " (soft)"} after ${withinSeconds} s, and not ${states.join(" or ")}.`,
          );
        attempt.heartbeat();
        await pause(LOOK_EVERY_MS, undefined, { signal: attempt.signal }).catch(() => {
          throw new ConnectorError("It was stopped.", { kind: "timeout", outcome: "never-began" });
        });
      }
    },
  };
}

/** Idempotent: a problem is acknowledged or not. The comment holds the token, so that the undo takes back what this call did. */
function acknowledge(http: HttpClient, kind: Kind): ConnectorFunction {
  const Input = namedBy(kind).extend({
    comment: Text,
    author: Author,
    isSticky: z.boolean().default(false).meta({ description: "Until it is well again; otherwise until its state changes" }),
    isPersistent: z.boolean().default(false).meta({ description: "Keep the comment when the acknowledgement ends" }),
    notify: z.boolean().default(false).meta({ description: "Tell those who are notified of the problem" }),
    expiresAt: z.iso.datetime({ offset: true }).optional(),
  });
  const Output = outputBy(kind).extend({ token: z.string().nullable() });
  return {
    ...timesOf(http),
    title: `Acknowledge the problem of a ${kind}`,
    input: Input,
    output: Output,
    effect: "idempotent",
    changes: kind,
    undo: {
      call: `${kind}.unacknowledge:1`,
      // What was acknowledged already stays: the token of nobody is looked for.
      with: { ...argumentsBy(kind), token: `\${ .output.token // "tok_${"0".repeat(32)}" }` },
    },
    run: async (given, attempt) => {
      const { comment, author, isSticky, isPersistent, notify, expiresAt, ...rest } = parseInput(Input, given);
      const reference = referenceIn(rest);
      const api = new IcingaApi(http, attempt);
      if ((await theObject(api, reference)).acknowledgement > 0)
        return { ...named(reference), token: await ownToken(api, reference, attempt.token) };
      const end = await act(api, "acknowledge-problem", reference, {
        comment: `${comment} ${attempt.token}`,
        author,
        sticky: isSticky,
        persistent: isPersistent,
        notify,
        ...(expiresAt === undefined ? {} : { expiry: Date.parse(expiresAt) / 1000 }),
      });
      if (end.kind === "done") return { ...named(reference), token: attempt.token };
      if ((await theObject(api, reference)).acknowledgement > 0)
        return { ...named(reference), token: await ownToken(api, reference, attempt.token) };
      throw api.refusal(`The ${nameOf(reference)} can't be acknowledged: ${saidOf(end)}`);
    },
    preview: async (given, attempt) => {
      const reference = referenceIn(parseInput(Input, given));
      const found = await theObject(new IcingaApi(http, attempt), reference);
      return acknowledgement(kind, found, { reference, wanted: true, isReversible: true });
    },
  };
}

/** Idempotent: what is not acknowledged is so already. */
function unacknowledge(http: HttpClient, kind: Kind): ConnectorFunction {
  const Input = namedBy(kind).extend({
    token: TokenText.optional().meta({ description: "Only the acknowledgement of the call with this token" }),
  });
  const isMeant = async (api: IcingaApi, reference: Reference, token: string | undefined): Promise<boolean> =>
    token === undefined || (await ownToken(api, reference, token)) === token;
  return {
    ...timesOf(http),
    title: `Take back the acknowledgement of a ${kind}'s problem`,
    input: Input,
    output: outputBy(kind),
    effect: "idempotent",
    changes: kind,
    run: async (given, attempt) => {
      const { token, ...rest } = parseInput(Input, given);
      const reference = referenceIn(rest);
      const api = new IcingaApi(http, attempt);
      if ((await theObject(api, reference)).acknowledgement === 0 || !(await isMeant(api, reference, token))) return named(reference);
      const end = await act(api, "remove-acknowledgement", reference, { author: "Tutti" });
      if (end.kind === "refused") throw api.refusal(`The acknowledgement of the ${nameOf(reference)} can't be taken back: ${end.said}`);
      return named(reference);
    },
    preview: async (given, attempt) => {
      const { token, ...rest } = parseInput(Input, given);
      const reference = referenceIn(rest);
      const api = new IcingaApi(http, attempt);
      const found = await theObject(api, reference);
      if (!(await isMeant(api, reference, token))) return { effects: [], output: named(reference) };
      return { ...acknowledgement(kind, found, { reference, wanted: false, isReversible: false }), output: named(reference) };
    },
  };
}

/**
 * Findable: the source of the check holds the token, as long as it is the last result. One that another has followed is sent once more when its answer was
 * lost; it says the same as before.
 */
function submitResult(http: HttpClient, kind: Kind): ConnectorFunction {
  const Input = namedBy(kind).extend({
    state: z.enum(STATES[kind] as readonly [string, ...string[]]),
    output: Text.meta({ description: "What the check says" }),
    performanceData: z.array(z.string().min(1).max(1000)).max(PERFORMANCE_MAX).default([]).meta({ description: "Such as time=0.2s;1;2" }),
    validForSeconds: z
      .number()
      .positive()
      .max(AWAIT_SECONDS_MAX)
      .optional()
      .meta({ description: "After this time Icinga misses the next one" }),
  });
  const Output = outputBy(kind).extend({ token: z.string() });
  return {
    ...timesOf(http),
    title: `Give Icinga the result of a check of a ${kind}`,
    input: Input,
    output: Output,
    effect: "findable",
    irreversible: true,
    run: async (given, attempt) => {
      const { state, output, performanceData, validForSeconds, ...rest } = parseInput(Input, given);
      const reference = referenceIn(rest);
      const api = new IcingaApi(http, attempt);
      const end = await act(api, "process-check-result", reference, {
        exit_status: (STATES[kind] as readonly string[]).indexOf(state),
        plugin_output: output,
        performance_data: [...performanceData],
        check_source: attempt.token,
        ...(validForSeconds === undefined ? {} : { ttl: validForSeconds }),
      });
      if (end.kind !== "done") throw api.refusal(`The result for the ${nameOf(reference)} is not taken: ${saidOf(end)}`);
      return { ...named(reference), token: attempt.token };
    },
    find: async (given, attempt) => {
      const reference = referenceIn(parseInput(Input, given));
      const found = await theObject(new IcingaApi(http, attempt), reference);
      return found.last_check_result?.check_source === attempt.token ? { ...named(reference), token: attempt.token } : undefined;
    },
    preview: async (given, attempt) => {
      const reference = referenceIn(parseInput(Input, given));
      await theObject(new IcingaApi(http, attempt), reference);
      return {
        effects: [{ kind: "send", resource: "check result", name: idOf(reference), isReversible: false }],
        output: { ...named(reference), token: attempt.token },
      };
    },
  };
}

/** Idempotent: a check more is a look more. */
function reschedule(http: HttpClient, kind: Kind): ConnectorFunction {
  const Input = namedBy(kind).extend({
    at: z.iso.datetime({ offset: true }).optional().meta({ description: "Left out: now" }),
    force: z.boolean().default(true).meta({ description: "Also outside its check period, and when active checks are off" }),
  });
  return {
    ...timesOf(http),
    title: `Check a ${kind} now, or at a time`,
    input: Input,
    output: outputBy(kind),
    effect: "idempotent",
    run: async (given, attempt) => {
      const { at, force, ...rest } = parseInput(Input, given);
      const reference = referenceIn(rest);
      const api = new IcingaApi(http, attempt);
      const next: JsonObject = at === undefined ? {} : { next_check: Date.parse(at) / 1000 };
      const end = await act(api, "reschedule-check", reference, { force, ...next });
      if (end.kind !== "done") throw api.refusal(`The check of the ${nameOf(reference)} can't be moved: ${saidOf(end)}`);
      return named(reference);
    },
    preview: async (given, attempt) => {
      const reference = referenceIn(parseInput(Input, given));
      await theObject(new IcingaApi(http, attempt), reference);
      return { effects: [], output: named(reference) };
    },
  };
}

/** Carries out an action of Icinga on one object. No result is an object that is not there. @throws ConnectorError. */
export async function act(api: IcingaApi, action: string, { host, service }: Reference, more: JsonObject): Promise<ApiEnd> {
  const which: JsonObject =
    service === undefined
      ? { type: "Host", filter: "host.name == wantedHost", filter_vars: { wantedHost: host } }
      : {
          type: "Service",
          filter: "service.host_name == wantedHost && service.name == wantedService",
          filter_vars: { wantedHost: host, wantedService: service },
        };
  const end = await api.send({ method: "POST", path: `/actions/${action}`, body: { ...which, ...more } });
  return end.kind === "done" && end.results.length === 0 ? { kind: "absent" } : end;
}

export function saidOf(end: Exclude<ApiEnd, { readonly kind: "done" }>): string {
  return end.kind === "refused" ? end.said : "Icinga has no such host or service.";
}

/** The token when the acknowledgement is that of its call; null when it is somebody else's. */
async function ownToken(api: IcingaApi, { host, service }: Reference, token: Token | string): Promise<string | null> {
  const comments = await api.find(
    {
      method: "POST",
      path: "/objects/comments",
      body: {
        filter: "comment.host_name == wantedHost && comment.service_name == wantedService",
        filter_vars: { wantedHost: host, wantedService: service ?? "" },
      },
    },
    Comment,
  );
  return comments.some(({ attrs }) => attrs.entry_type === ACKNOWLEDGEMENT && attrs.text.endsWith(token)) ? token : null;
}

function acknowledgement(
  kind: Kind,
  found: Found,
  how: { readonly reference: Reference; readonly wanted: boolean; readonly isReversible: boolean },
): Awaited<ReturnType<NonNullable<ConnectorFunction["preview"]>>> {
  const was = checkableOf(found);
  const output = named(how.reference);
  if (was.isAcknowledged === how.wanted) return { effects: [], output };
  const effect = {
    kind: "change",
    resource: kind,
    name: idOf(how.reference),
    before: was,
    after: { ...was, isAcknowledged: how.wanted },
  } as const;
  return { effects: [{ ...effect, isReversible: how.isReversible }], output };
}

function outputBy(kind: Kind): z.ZodObject<{ host: z.ZodString; service: z.ZodOptional<z.ZodString> }, z.core.$strict> {
  const schema = kind === "host" ? z.strictObject({ host: z.string() }) : z.strictObject({ host: z.string(), service: z.string() });
  // As of the input: whether there is a service says the kind.
  return schema as unknown as ReturnType<typeof outputBy>;
}

function argumentsBy(kind: Kind): Record<string, string> {
  return kind === "host" ? { host: "${ .output.host }" } : { host: "${ .output.host }", service: "${ .output.service }" };
}

function timesOf(http: HttpClient): { readonly requestTimeoutMs: number; readonly settleMs: number } {
  return { requestTimeoutMs: http.limits.headTimeoutMs, settleMs: 0 };
}
