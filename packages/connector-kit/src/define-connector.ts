import { assert } from "@tutti/model";
import type { Connector, ConnectorFunction } from "./connector.ts";

const CONNECTOR_NAME = /^[a-z][a-z0-9-]{0,62}$/;
const SEMANTIC_VERSION = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/;
/** `vm.create:1`, or the plain name of a call of the language: `http`, `run.shell`. */
const FUNCTION_NAME = /^[a-z][A-Za-z0-9]*(?:\.[a-z][A-Za-z0-9]*)*(?::[1-9]\d{0,4})?$/;

/**
 * Checks a connector's declaration and freezes it. Every connector is made with this, so that a declaration which contradicts itself (a
 * `findable` function that can't find) fails when the process starts and not after the first crash.
 *
 * @throws Error naming connector, function and what must hold: a bug of the connector's author.
 */
export function defineConnector(connector: Connector): Connector {
  assert(CONNECTOR_NAME.test(connector.name), `connector name "${connector.name}" is lower case letters, digits and dashes`);
  assert(SEMANTIC_VERSION.test(connector.version), `version "${connector.version}" of connector ${connector.name} is major.minor.patch`);
  const names = Object.keys(connector.functions);
  assert(names.length > 0, `connector ${connector.name} has a function`);
  for (const name of names) checkFunction(connector, name);
  return Object.freeze({ ...connector, functions: Object.freeze({ ...connector.functions }) });
}

function checkFunction(connector: Connector, name: string): void {
  const where = `${name}@${connector.name}`;
  const declared = connector.functions[name] as ConnectorFunction;
  assert(FUNCTION_NAME.test(name), `function name "${where}" is <resource>.<operation>:<major> or a call of the language`);
  assert(declared.title !== "", `${where} has a title`);
  assert(isDuration(declared.requestTimeoutMs), `requestTimeoutMs of ${where} is a number of milliseconds, at least 0`);
  assert(isDuration(declared.settleMs), `settleMs of ${where} is a number of milliseconds, at least 0`);
  assert(
    declared.concurrencyMax === undefined || (Number.isInteger(declared.concurrencyMax) && declared.concurrencyMax > 0),
    `concurrencyMax of ${where} is a whole number above 0`,
  );
  assert(declared.effect !== "findable" || declared.find !== undefined, `${where} is findable and so has find`);
}

function isDuration(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}
