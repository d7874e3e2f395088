import { isDeepStrictEqual } from "node:util";
import { type Attempt, type ConnectorFunction, parseInput, z } from "@tutti/connector-kit";
import { Comment, literal, markedComment, quoted, RoleName, TokenInput } from "./names.ts";
import { hasSqlState } from "./failure.ts";
import { changeKept, waitForToken } from "./notes.ts";
import {
  ATTRIBUTE_DEFAULTS,
  ATTRIBUTES,
  Attributes,
  attributesOf,
  listRoles,
  loadRole,
  Role,
  roleOptions,
  withWholeSeconds,
} from "./roles.ts";
import { scramVerifier } from "./scram.ts";
import { type Deps, inSession, ORDER_TIMEOUT_MS, type Session } from "./session.ts";

const PASSWORD_CHARACTERS_MAX = 1000;
const DUPLICATE_OBJECT = new Set(["42710", "23505"]);

const Password = z
  .string()
  .min(1)
  .max(PASSWORD_CHARACTERS_MAX)
  .meta({ description: "A secret; only what PostgreSQL stores of it (SCRAM-SHA-256) is sent" });
const Wanted = z.strictObject(ATTRIBUTES).partial();

const CreateInput = Wanted.extend({ name: RoleName, password: Password.optional(), comment: Comment.optional() });
const CreateOutput = z.strictObject({ name: z.string(), token: z.string() });
const ChangeInput = Wanted.extend({
  name: RoleName,
  ifIs: Attributes.optional().meta({ description: "Refuse unless it is so, or as wanted, now" }),
});
const ChangeOutput = z.strictObject({ name: z.string(), after: Attributes, before: Attributes });
const PasswordInput = z.strictObject({ name: RoleName, password: Password });
const DeleteInput = z.strictObject({ name: RoleName, token: TokenInput.optional() });
const NameOutput = z.strictObject({ name: z.string() });
const ListInput = z.strictObject({});
const ListOutput = z.strictObject({ roles: z.array(Role) });

export function roleFunctions(deps: Deps): Readonly<Record<string, ConnectorFunction>> {
  const times = { requestTimeoutMs: ORDER_TIMEOUT_MS, settleMs: 0 };

  /** Findable: its comment, made in the same transaction, holds the token. Unique: PostgreSQL refuses a second one of a name. */
  const create: ConnectorFunction = {
    ...times,
    title: "Make a role: a user, or a group of users",
    input: CreateInput,
    output: CreateOutput,
    effect: "findable",
    unique: true,
    creates: "role",
    undo: { call: "role.delete:1", with: { name: "${ .output.name }", token: "${ .output.token }" } },
    run: async (given, attempt) => {
      const input = parseInput(CreateInput, given);
      const verifier = await verifierOf(input.password, attempt);
      return inSession(deps, attempt, {}, async (session) => {
        const { name } = input;
        try {
          await session.transaction(async () => {
            await waitForToken(session, attempt.token);
            const present = await loadRole(session, name);
            if (present === undefined) await make(session, input, { verifier, token: attempt.token });
            else mustBeOurs(session, present, attempt);
          });
        } catch (error) {
          // Somebody was faster between the look and the order.
          if (hasSqlState(error, DUPLICATE_OBJECT)) throw session.refusal(alreadyThere(name));
          throw error;
        }
        return { name, token: attempt.token };
      });
    },
    find: async (given, attempt) => {
      const { name } = parseInput(CreateInput, given);
      const found = await inSession(deps, attempt, {}, (session) => loadRole(session, name));
      return found?.token === attempt.token ? { name, token: attempt.token } : undefined;
    },
    preview: async (given, attempt) => {
      const input = parseInput(CreateInput, given);
      const { name, comment = null } = input;
      const output = { name, token: attempt.token };
      const present = await inSession(deps, attempt, {}, async (session) => {
        const found = await loadRole(session, name);
        if (found !== undefined) mustBeOurs(session, found, attempt);
        return found;
      });
      if (present !== undefined) return { effects: [], output };
      const after = { name, ...wantedOf(input, ATTRIBUTE_DEFAULTS), comment, token: attempt.token };
      return { effects: [{ kind: "create", resource: "role", name, after, isReversible: true }], output };
    },
  };

  /** Idempotent: a desired state, and what was before is kept until the end is stored. */
  const change: ConnectorFunction = {
    ...times,
    title: "Change what a role may do; its password has a function of its own",
    input: ChangeInput,
    output: ChangeOutput,
    effect: "idempotent",
    changes: "role",
    undo: {
      call: "role.change:1",
      with: {
        name: "${ .output.name }",
        ...Object.fromEntries(Object.keys(ATTRIBUTES).map((key) => [key, `\${ .output.before.${key} }`])),
        ifIs: "${ .output.after }",
      },
    },
    run: async (given, attempt) => {
      const input = parseInput(ChangeInput, given);
      return inSession(deps, attempt, {}, async (session) => {
        const { name } = input;
        let after: Attributes | undefined;
        const before = await changeKept<Attributes>(deps, attempt, session, {
          read: async () => (await planned(session, input)).current,
          apply: async (current) => {
            after = wantedOf(input, current);
            const options = roleOptions(after, current);
            if (options.length > 0) await session.order(`ALTER ROLE ${quoted(name)} WITH ${options.join(" ")}`);
            return options.length > 0;
          },
        });
        return { name, after: after ?? before, before };
      });
    },
    preview: async (given, attempt) => {
      const input = parseInput(ChangeInput, given);
      const { name } = input;
      const { was, current, after } = await inSession(deps, attempt, {}, (session) => planned(session, input));
      const output = { name, after, before: current };
      if (isDeepStrictEqual(current, after)) return { effects: [], output };
      return {
        effects: [{ kind: "change", resource: "role", name, before: was, after: { ...was, ...after }, isReversible: true }],
        output,
      };
    },
  };

  /** Idempotent: the password is that one afterwards. The server gives no password back, so the old one can't be put back. */
  const setPassword: ConnectorFunction = {
    ...times,
    title: "Give a role a new password",
    input: PasswordInput,
    output: NameOutput,
    effect: "idempotent",
    irreversible: true,
    run: async (given, attempt) => {
      const { name, password } = parseInput(PasswordInput, given);
      const verifier = await verifierOf(password, attempt);
      return inSession(deps, attempt, {}, async (session) => {
        if ((await loadRole(session, name)) === undefined) throw session.refusal(noRole(name));
        await session.order(`ALTER ROLE ${quoted(name)} WITH PASSWORD ${literal(verifier ?? "")}`);
        return { name };
      });
    },
    preview: async (given, attempt) => {
      const { name } = parseInput(PasswordInput, given);
      await inSession(deps, attempt, {}, async (session) => {
        if ((await loadRole(session, name)) === undefined) throw session.refusal(noRole(name));
      });
      return { effects: [], output: { name } };
    },
  };

  /** Idempotent: what is gone is gone. PostgreSQL refuses while anything belongs to it. */
  const remove: ConnectorFunction = {
    ...times,
    title: "Delete a role that owns nothing and has no rights left",
    input: DeleteInput,
    output: NameOutput,
    effect: "idempotent",
    deletes: "role",
    irreversible: true,
    run: async (given, attempt) => {
      const input = parseInput(DeleteInput, given);
      return inSession(deps, attempt, {}, async (session) => {
        const { name } = input;
        await session.transaction(async () => {
          if ((await roleToDelete(session, input)) !== undefined) await session.order(`DROP ROLE IF EXISTS ${quoted(name)}`);
        });
        return { name };
      });
    },
    preview: async (given, attempt) => {
      const input = parseInput(DeleteInput, given);
      const { name } = input;
      const found = await inSession(deps, attempt, {}, (session) => roleToDelete(session, input));
      if (found === undefined) return { effects: [], output: { name } };
      return { effects: [{ kind: "delete", resource: "role", name, before: found, isReversible: false }], output: { name } };
    },
  };

  const list: ConnectorFunction = {
    ...times,
    title: "List the roles but PostgreSQL's own",
    input: ListInput,
    output: ListOutput,
    effect: "read",
    run: async (given, attempt) => {
      parseInput(ListInput, given);
      return { roles: [...(await inSession(deps, attempt, {}, (session) => listRoles(session)))] };
    },
  };

  return {
    "role.create:1": create,
    "role.change:1": change,
    "role.password:1": setPassword,
    "role.delete:1": remove,
    "role.list:1": list,
  };
}

/** What is sent of a password. Both are masked wherever they should turn up. */
async function verifierOf(password: string | undefined, attempt: Attempt): Promise<string | undefined> {
  if (password === undefined) return undefined;
  attempt.mask(password);
  const verifier = await scramVerifier(password);
  attempt.mask(verifier);
  return verifier;
}

async function make(
  session: Session,
  input: z.infer<typeof CreateInput>,
  { verifier, token }: { readonly verifier: string | undefined; readonly token: string },
): Promise<void> {
  const options = [
    ...roleOptions(wantedOf(input, ATTRIBUTE_DEFAULTS), ATTRIBUTE_DEFAULTS),
    ...(verifier === undefined ? [] : [`PASSWORD ${literal(verifier)}`]),
  ];
  await session.order(`CREATE ROLE ${quoted(input.name)}${options.length === 0 ? "" : ` WITH ${options.join(" ")}`}`);
  await session.order(`COMMENT ON ROLE ${quoted(input.name)} IS ${literal(markedComment(input.comment ?? null, token))}`);
}

/** @throws ConnectorError `validation`: it is somebody else's. */
function mustBeOurs(session: Session, { name, token }: Role, attempt: Attempt): void {
  if (token === attempt.token) return;
  throw session.refusal(`${alreadyThere(name)}${token === null ? "" : ` Its comment says ${token}.`}`);
}

function alreadyThere(name: string): string {
  return `There is a role ${name} already, and this call has not made it: take another name, or change it with role.change.`;
}

export function noRole(name: string): string {
  return `There is no role ${name}: make it with role.create first.`;
}

function wantedOf(input: z.infer<typeof Wanted>, current: Attributes): Attributes {
  const given = Object.entries(input).filter(([key, value]) => Object.hasOwn(ATTRIBUTES, key) && value !== undefined);
  return withWholeSeconds({ ...current, ...Object.fromEntries(given) });
}

async function planned(
  session: Session,
  input: z.infer<typeof ChangeInput>,
): Promise<{ readonly was: Role; readonly current: Attributes; readonly after: Attributes }> {
  const was = await loadRole(session, input.name);
  if (was === undefined) throw session.refusal(noRole(input.name));
  const current = attributesOf(was);
  const after = wantedOf(input, current);
  if (input.ifIs !== undefined && !isDeepStrictEqual(current, input.ifIs) && !isDeepStrictEqual(current, after))
    throw session.refusal(`Role ${input.name} is not what it was: somebody has changed it since, so it stays as it is.`, current);
  return { was, current, after };
}

async function roleToDelete(session: Session, { name, token }: z.infer<typeof DeleteInput>): Promise<Role | undefined> {
  const found = await loadRole(session, name);
  if (found === undefined) return undefined;
  if (token !== undefined && found.token !== token)
    throw session.refusal(`Role ${name} is not the one that the call made: somebody has made another one of this name, so it stays.`);
  return found;
}
