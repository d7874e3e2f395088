import { assert } from "@tutti/model";
import type { Connector, ConnectorFunction } from "./connector.ts";
import { takesProvider } from "./provider.ts";
import { checkUndoTemplate, type Undo } from "./undo.ts";

const CONNECTOR_NAME = /^[a-z][a-z0-9-]{0,62}$/;
const SEMANTIC_VERSION = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/;
/** `vm.create:1`, `pool-member.create:1`: what a document can call; or the plain name of a call of the language: `http`, `run.shell`. */
const FUNCTION_NAME = /^(?:[a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)+:[1-9]\d{0,4}|[a-z][A-Za-z0-9]*(?:\.[a-z][A-Za-z0-9]*)*)$/;

const RESOURCE_NAME = /^[a-z][a-z0-9-]{0,62}$/;

/**
 * Checks a connector's declaration and freezes it. Every connector is made with this, so that a declaration which contradicts itself (a
 * `findable` function that can't find) fails when the process starts and not after the first crash.
 * An undo that names no provider is given the one of the call that it undoes.
 *
 * @throws Error naming connector, function and what must hold: a bug of the connector's author.
 */
export function defineConnector(connector: Connector): Connector {
  assert(CONNECTOR_NAME.test(connector.name), `connector name "${connector.name}" is lower case letters, digits and dashes`);
  assert(SEMANTIC_VERSION.test(connector.version), `version "${connector.version}" of connector ${connector.name} is major.minor.patch`);
  const names = Object.keys(connector.functions);
  assert(names.length > 0, `connector ${connector.name} has a function`);
  for (const name of Object.keys(connector.resources ?? {}))
    assert(
      RESOURCE_NAME.test(name),
      `resource type "${name}" of connector ${connector.name} is lower case letters, digits and dashes: vm, pool-member`,
    );
  assert(
    connector.check === undefined || takesProvider(connector),
    `connector ${connector.name} checks a provider and so declares configuration or credentials`,
  );
  for (const name of names) checkFunction(connector, name);
  return Object.freeze({ ...connector, functions: Object.freeze(functionsOf(connector)) });
}

/** The functions with undos that stay with the provider of the call that they undo. */
function functionsOf(connector: Connector): Connector["functions"] {
  if (!takesProvider(connector)) return { ...connector.functions };
  return Object.fromEntries(
    Object.entries(connector.functions).map(([name, declared]) => [
      name,
      declared.undo === undefined ? declared : { ...declared, undo: withProvider(declared.undo) },
    ]),
  );
}

function withProvider(undo: Undo): Undo {
  return { call: undo.call, with: { provider: "${ .input.provider }", ...undo.with } };
}

function checkFunction(connector: Connector, name: string): void {
  const where = `${name}@${connector.name}`;
  const declared = connector.functions[name] as ConnectorFunction;
  assert(FUNCTION_NAME.test(name), `function name "${where}" is <resource>.<operation>:<major> in lower case, or a call of the language`);
  assert(declared.title !== "", `${where} has a title`);
  assert(isDuration(declared.requestTimeoutMs), `requestTimeoutMs of ${where} is a number of milliseconds, at least 0`);
  assert(isDuration(declared.settleMs), `settleMs of ${where} is a number of milliseconds, at least 0`);
  assert(
    declared.concurrencyMax === undefined || (Number.isInteger(declared.concurrencyMax) && declared.concurrencyMax > 0),
    `concurrencyMax of ${where} is a whole number above 0`,
  );
  assert(declared.effect !== "findable" || declared.find !== undefined, `${where} is findable and so has find`);
  checkUndo(connector, where, declared);
  checkTouched(connector, where, declared);
}

function checkUndo(connector: Connector, where: string, declared: ConnectorFunction): void {
  const { undo } = declared;
  if (undo === undefined) return;
  assert(declared.irreversible !== true, `${where} has an undo or is irreversible, not both`);
  assert(declared.effect !== "read", `${where} changes nothing and so has no undo`);
  const names = Object.keys(connector.functions);
  assert(
    Object.hasOwn(connector.functions, undo.call),
    `the undo of ${where} calls a function of its own connector, and "${undo.call}" is none of ${names.join(", ")}`,
  );
  checkUndoTemplate(undo.with, `the undo of ${where}, with`);
}

function checkTouched(connector: Connector, where: string, declared: ConnectorFunction): void {
  const touched = [declared.creates, declared.changes, declared.deletes].filter((type) => type !== undefined);
  assert(touched.length <= 1, `${where} says one of creates, changes and deletes`);
  const types = Object.keys(connector.resources ?? {});
  for (const type of touched)
    assert(types.includes(type), `${where} touches "${type}", which is no resource type of its connector: ${types.join(", ") || "none"}`);
}

function isDuration(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}
