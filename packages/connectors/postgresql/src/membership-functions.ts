import { isDeepStrictEqual } from "node:util";
import { type ConnectorFunction, type EffectPreview, parseInput, z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { listMemberships, Membership } from "./memberships.ts";
import { idOf, Name, quoted } from "./names.ts";
import { changeKept } from "./notes.ts";
import { type Deps, inSession, ORDER_TIMEOUT_MS, type Session } from "./session.ts";

const Place = {
  role: Name.meta({ description: "The role that has the rights: a group, or one of PostgreSQL's own such as pg_monitor" }),
  member: Name.meta({ description: "The role that gets them" }),
};
const State = z.strictObject({ admin: z.boolean() }).nullable();
type State = z.infer<typeof State>;

const SetInput = z.strictObject({ ...Place, admin: z.boolean().default(false).meta({ description: "It may make others members" }) });
const DeleteInput = z.strictObject(Place);
const ChangeOutput = z.strictObject({ role: z.string(), member: z.string(), after: State, before: State });
const RestoreInput = z.strictObject({
  ...Place,
  before: State.meta({ description: "What to put back; null is no member" }),
  after: State.meta({ description: "What the call left: when it is different now, nothing is touched" }),
});
const RestoreOutput = z.strictObject({ role: z.string(), member: z.string() });
const ListInput = z.strictObject({ role: Name.optional(), member: Name.optional() });
const ListOutput = z.strictObject({ memberships: z.array(Membership) });

interface Where {
  readonly role: string;
  readonly member: string;
}

export function membershipFunctions(deps: Deps): Readonly<Record<string, ConnectorFunction>> {
  const times = { requestTimeoutMs: ORDER_TIMEOUT_MS, settleMs: 0 };
  const undo = {
    call: "membership.restore:1",
    with: {
      role: "${ .output.role }",
      member: "${ .output.member }",
      before: "${ .output.before }",
      after: "${ .output.after }",
    },
  };

  /** Idempotent: a desired state, and what was before is kept until the end is stored. */
  const change = (
    about: Pick<ConnectorFunction, "title" | "input"> & Partial<Pick<ConnectorFunction, "changes" | "deletes">>,
    wantedOf: (given: Parameters<ConnectorFunction["run"]>[0]) => { readonly where: Where; readonly wanted: State },
  ): ConnectorFunction => ({
    ...times,
    ...about,
    output: ChangeOutput,
    effect: "idempotent",
    undo,
    run: async (given, attempt) => {
      const { where, wanted } = wantedOf(given);
      return inSession(deps, attempt, {}, async (session) => {
        const before = await changeKept<State>(deps, attempt, session, {
          read: () => stateOf(session, where),
          apply: (current) => make(session, where, { current, wanted }),
        });
        return { ...where, after: wanted, before };
      });
    },
    preview: async (given, attempt) => {
      const { where, wanted } = wantedOf(given);
      const current = await inSession(deps, attempt, {}, (session) => stateOf(session, where));
      return previewOf(where, { current, wanted, output: { ...where, after: wanted, before: current }, isReversible: true });
    },
  });

  const set = change({ title: "Make a role a member of another", input: SetInput, changes: "membership" }, (given) => {
    const { role, member, admin } = parseInput(SetInput, given);
    return { where: { role, member }, wanted: { admin } };
  });
  const remove = change({ title: "End a membership", input: DeleteInput, deletes: "membership" }, (given) => ({
    where: parseInput(DeleteInput, given),
    wanted: null,
  }));

  /** Idempotent: a desired state, and what somebody else has made since is refused. */
  const restore: ConnectorFunction = {
    ...times,
    title: "Put a membership back as it was",
    input: RestoreInput,
    output: RestoreOutput,
    effect: "idempotent",
    changes: "membership",
    run: async (given, attempt) => {
      const { role, member, before, after } = parseInput(RestoreInput, given);
      const where = { role, member };
      return inSession(deps, attempt, {}, async (session) => {
        await session.transaction(async () => {
          const current = await stateToRestore(session, where, { before, after });
          await make(session, where, { current, wanted: before });
        });
        return where;
      });
    },
    preview: async (given, attempt) => {
      const { role, member, before, after } = parseInput(RestoreInput, given);
      const where = { role, member };
      const current = await inSession(deps, attempt, {}, (session) => stateToRestore(session, where, { before, after }));
      return previewOf(where, { current, wanted: before, output: { ...where }, isReversible: false });
    },
  };

  const list: ConnectorFunction = {
    ...times,
    title: "List who is a member of what",
    input: ListInput,
    output: ListOutput,
    effect: "read",
    run: async (given, attempt) => {
      const { role, member } = parseInput(ListInput, given);
      const of = { ...(role === undefined ? {} : { role }), ...(member === undefined ? {} : { member }) };
      return { memberships: [...(await inSession(deps, attempt, {}, (session) => listMemberships(session, of)))] };
    },
  };

  return { "membership.set:1": set, "membership.delete:1": remove, "membership.restore:1": restore, "membership.list:1": list };
}

async function stateOf(session: Session, where: Where): Promise<State> {
  const [found] = await listMemberships(session, where);
  return found === undefined ? null : { admin: found.admin };
}

/** @returns whether anything was to be changed. @throws ConnectorError `validation`: others have made it, too, and it stays. */
async function make(session: Session, where: Where, states: { readonly current: State; readonly wanted: State }): Promise<boolean> {
  const { current, wanted } = states;
  if (isDeepStrictEqual(current, wanted)) return false;
  const [role, member] = [quoted(where.role), quoted(where.member)];
  if (wanted === null) await session.order(`REVOKE ${role} FROM ${member}`);
  else if (current?.admin === true) await session.order(`REVOKE ADMIN OPTION FOR ${role} FROM ${member}`);
  else await session.order(`GRANT ${role} TO ${member}${wanted.admin ? " WITH ADMIN OPTION" : ""}`);
  if (!isDeepStrictEqual(await stateOf(session, where), wanted))
    throw session.refusal(
      `The membership of ${where.member} in ${where.role} does not become what is wanted: another role has made it, and only that one, or a superuser in its place, can take it back.`,
    );
  return true;
}

async function stateToRestore(
  session: Session,
  where: Where,
  { before, after }: { readonly before: State; readonly after: State },
): Promise<State> {
  const current = await stateOf(session, where);
  if (isDeepStrictEqual(current, before) || isDeepStrictEqual(current, after)) return current;
  throw session.refusal(
    `The membership of ${where.member} in ${where.role} is not what the call left: somebody has changed it since, so it is not put back.`,
    current,
  );
}

function previewOf(
  where: Where,
  how: { readonly current: State; readonly wanted: State; readonly output: Json; readonly isReversible: boolean },
): EffectPreview {
  const { current, wanted, output, isReversible } = how;
  if (isDeepStrictEqual(current, wanted)) return { effects: [], output };
  return {
    effects: [
      {
        kind: wanted === null ? "delete" : current === null ? "create" : "change",
        resource: "membership",
        name: idOf(where.role, where.member),
        ...(current === null ? {} : { before: { ...where, ...current } }),
        ...(wanted === null ? {} : { after: { ...where, ...wanted } }),
        isReversible,
      },
    ],
    output,
  };
}
