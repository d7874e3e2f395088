import { type ConnectorFunction, type EffectPreview, parseInput, z } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import {
  applyGrant,
  EVERYBODY,
  Grant,
  grantId,
  type GrantState,
  isSame,
  listGrants,
  loadGrants,
  OBJECT_TYPES,
  PRIVILEGES,
  type Privileges,
  type Target,
} from "./grants.ts";
import { InDatabase, Name } from "./names.ts";
import { changeKept } from "./notes.ts";
import { type Deps, inSession, ORDER_TIMEOUT_MS, type Session } from "./session.ts";

/** All that PostgreSQL knows, of any version. */
const Privilege = z.string().regex(/^[A-Z]{3,20}$/, "is a privilege in capitals: SELECT");
const PRIVILEGES_MAX = 20;

const Place = {
  database: InDatabase,
  type: z.enum(OBJECT_TYPES).meta({ description: "database: the whole; tables are also views" }),
  schema: Name.optional().meta({ description: "The schema, or the one that the table or sequence is in" }),
  name: Name.optional().meta({ description: "The table or sequence; without it all that there are now in the schema" }),
  role: Name.meta({ description: "Who has the rights; public is everybody" }),
};
const SetInput = z
  .strictObject({
    ...Place,
    privileges: z
      .union([z.literal("all"), z.array(Privilege).max(PRIVILEGES_MAX)])
      .meta({ description: "All that the role is to have, and no others: [SELECT, INSERT]; an empty list takes all away" }),
    grantable: z.boolean().default(false).meta({ description: "The role may grant them to others" }),
  })
  .superRefine(checkPlace)
  .superRefine(({ type, privileges }, context) => {
    if (privileges === "all") return;
    // One that a later version knows and this one does not (MAINTAIN) is the server's to judge.
    const known = [...PRIVILEGES[type], "MAINTAIN"];
    const strange = privileges.find((each) => !known.includes(each));
    if (strange !== undefined)
      context.addIssue({ code: "custom", path: ["privileges"], message: `${type} has ${PRIVILEGES[type].join(", ")}` });
  });
const DeleteInput = z.strictObject(Place).superRefine(checkPlace);
const ChangeOutput = z.strictObject({
  database: z.string(),
  role: z.string(),
  /** What was there before, and is now, object by object; those only that have changed. */
  before: z.array(Grant),
  after: z.array(Grant),
});
const RestoreInput = z.strictObject({
  database: Name,
  before: z.array(Grant).meta({ description: "What to put back" }),
  after: z.array(Grant).meta({ description: "What the call left, in the same order: where it is different now, nothing is touched" }),
});
const RestoreOutput = z.strictObject({ database: z.string() });
const ListInput = z.strictObject({ database: InDatabase, role: Name.optional(), type: z.enum(OBJECT_TYPES).optional() });
const ListOutput = z.strictObject({ grants: z.array(Grant) });

/** What a call wants of one object. */
interface Step {
  readonly state: GrantState;
  readonly wanted: Privileges;
}

export function grantFunctions(deps: Deps): Readonly<Record<string, ConnectorFunction>> {
  const times = { requestTimeoutMs: ORDER_TIMEOUT_MS, settleMs: 0 };

  /** Idempotent: a desired state, and what was before is kept until the end is stored. */
  const change = (
    about: Pick<ConnectorFunction, "title" | "input">,
    read: (given: JsonObject) => { readonly database: string | undefined; readonly target: Target; readonly wanted: Privileges },
  ): ConnectorFunction => ({
    ...times,
    ...about,
    output: ChangeOutput,
    effect: "idempotent",
    changes: "grant",
    undo: {
      call: "grant.restore:1",
      with: { database: "${ .output.database }", before: "${ .output.before }", after: "${ .output.after }" },
    },
    run: async (given, attempt) => {
      const { database, target, wanted } = read(given);
      return inSession(deps, attempt, { database }, async (session) => {
        const before = await changeKept<Grant[]>(deps, attempt, session, {
          read: async () => differing(await loadGrants(session, target), wanted),
          apply: async (current) => {
            for (const grant of current) await applyGrant(session, grant, wanted);
            await mustBe(session, target, wanted);
            return current.length > 0;
          },
        });
        return { database: session.database, role: target.role, before, after: before.map((grant) => ({ ...grant, ...wanted })) };
      });
    },
    preview: async (given, attempt) => {
      const { database, target, wanted } = read(given);
      return inSession(deps, attempt, { database }, async (session) => {
        const states = await loadGrants(session, target);
        const before = differing(states, wanted);
        const output = { database: session.database, role: target.role, before, after: before.map((grant) => ({ ...grant, ...wanted })) };
        return previewOf(
          states.map((state) => ({ state, wanted })),
          { output, isReversible: true },
        );
      });
    },
  });

  const set = change(
    { title: "Give a role these rights on a database, schema, tables or sequences, and no others", input: SetInput },
    (given) => {
      const input = parseInput(SetInput, given);
      const privileges = (input.privileges === "all" ? [...PRIVILEGES[input.type]] : [...new Set(input.privileges)]).toSorted();
      return { database: input.database, target: targetOf(input), wanted: { privileges, grantable: input.grantable ? privileges : [] } };
    },
  );
  const revoke = change(
    { title: "Take all rights of a role on a database, schema, tables or sequences away", input: DeleteInput },
    (given) => {
      const input = parseInput(DeleteInput, given);
      return { database: input.database, target: targetOf(input), wanted: { privileges: [], grantable: [] } };
    },
  );

  /** Idempotent: a desired state, and what somebody else has granted or revoked since is refused. */
  const restore: ConnectorFunction = {
    ...times,
    title: "Put rights back as they were",
    input: RestoreInput,
    output: RestoreOutput,
    effect: "idempotent",
    changes: "grant",
    run: async (given, attempt) => {
      const input = parseInput(RestoreInput, given);
      return inSession(deps, attempt, { database: input.database }, async (session) => {
        await session.transaction(async () => {
          for (const { state, wanted } of await stepsBack(session, input)) await applyGrant(session, state.now, wanted);
        });
        return { database: session.database };
      });
    },
    preview: async (given, attempt) => {
      const input = parseInput(RestoreInput, given);
      return inSession(deps, attempt, { database: input.database }, async (session) =>
        previewOf(await stepsBack(session, input), { output: { database: session.database }, isReversible: false }),
      );
    },
  };

  const list: ConnectorFunction = {
    ...times,
    title: "List the rights in a database that somebody has granted or revoked",
    input: ListInput,
    output: ListOutput,
    effect: "read",
    run: async (given, attempt) => {
      const { database, role, type } = parseInput(ListInput, given);
      const grants = await inSession(deps, attempt, { database }, (session) => listGrants(session));
      return { grants: grants.filter((each) => (role === undefined || each.role === role) && (type === undefined || each.type === type)) };
    },
  };

  return { "grant.set:1": set, "grant.revoke:1": revoke, "grant.restore:1": restore, "grant.list:1": list };
}

function checkPlace(
  { type, schema, name }: { readonly type: string; readonly schema?: string | undefined; readonly name?: string | undefined },
  context: z.RefinementCtx,
): void {
  const needsSchema = type !== "database";
  if (needsSchema !== (schema !== undefined))
    context.addIssue({ code: "custom", path: ["schema"], message: needsSchema ? `a ${type} needs it` : "a database is in none" });
  if (name !== undefined && type !== "table" && type !== "sequence")
    context.addIssue({ code: "custom", path: ["name"], message: "is for tables and sequences" });
}

function targetOf(input: z.infer<typeof DeleteInput>): Target {
  const { type, schema = "", name, role } = input;
  const hasNames = type === "table" || type === "sequence";
  return { type, schema, name: hasNames ? name : "", role };
}

function differing(states: readonly GrantState[], wanted: Privileges): Grant[] {
  return states.map(({ now }) => now).filter((now) => !isSame(now, wanted));
}

/** PostgreSQL only warns when a right can't be given or taken: another role has granted it, or ours has it not itself. */
async function mustBe(session: Session, target: Target, wanted: Privileges): Promise<void> {
  const [left] = differing(await loadGrants(session, target), wanted);
  if (left === undefined) return;
  const has = left.privileges.length === 0 ? "nothing" : left.privileges.join(", ");
  throw session.refusal(
    `${target.role === EVERYBODY ? "Everybody" : target.role} still has ${has} on ${grantId(left)}: another role has granted it, or ${session.server.user} may not grant it. Log in as the owner.`,
  );
}

/** @throws ConnectorError `validation`: somebody else has changed it since. */
async function stepsBack(session: Session, { before, after }: z.infer<typeof RestoreInput>): Promise<readonly Step[]> {
  const steps: Step[] = [];
  for (const [index, wanted] of before.entries()) {
    const { type, schema, name, role } = wanted;
    const [state] = await loadGrants(session, { type, schema, name, role });
    const left = after[index];
    if (
      state === undefined ||
      left === undefined ||
      grantId(left) !== grantId(wanted) ||
      (!isSame(state.now, left) && !isSame(state.now, wanted))
    )
      throw session.refusal(
        `The rights ${grantId(wanted)} are not what the call left: somebody has changed them since, so they are not put back.`,
      );
    steps.push({ state, wanted });
  }
  return steps;
}

/** Rights that are as if nobody had granted anything are not in the list. */
function previewOf(steps: readonly Step[], how: { readonly output: Json; readonly isReversible: boolean }): EffectPreview {
  const effects = steps
    .filter(({ state, wanted }) => !isSame(state.now, wanted))
    .map(({ state: { now, usual }, wanted }) => {
      const { privileges, grantable } = wanted;
      const after = { ...now, privileges, grantable };
      const [was, is] = [!isSame(now, usual), !isSame(wanted, usual)];
      return {
        kind: was && is ? ("change" as const) : was ? ("delete" as const) : ("create" as const),
        resource: "grant",
        name: grantId(now),
        ...(was ? { before: now } : {}),
        ...(is ? { after } : {}),
        isReversible: how.isReversible,
      };
    });
  return { effects, output: how.output };
}
