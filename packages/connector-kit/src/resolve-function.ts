import type { Connector, ConnectorFunction } from "./connector.ts";

/** What a function's name stands for, or why it stands for nothing. */
export type ResolvedFunction =
  | { readonly kind: "found"; readonly connector: Connector; readonly function: ConnectorFunction }
  | { readonly kind: "missing"; readonly reason: string };

/**
 * Finds the function that a workflow calls by `name`: `vm.create:1@libvirt`, or a call of the language by its plain name (`http`).
 *
 * Costs a walk over the connectors; callers keep the answer.
 */
export function resolveFunction(connectors: readonly Connector[], name: string): ResolvedFunction {
  const at = name.lastIndexOf("@");
  if (at === -1) return resolvePlain(connectors, name);
  const connectorName = name.slice(at + 1);
  const functionName = name.slice(0, at);
  const connector = connectors.find((candidate) => candidate.name === connectorName);
  if (connector === undefined) {
    return missing(`there is no connector "${connectorName}"; there are: ${connectors.map((known) => known.name).join(", ") || "none"}`);
  }
  const found = ownFunction(connector, functionName);
  if (found !== undefined) return { kind: "found", connector, function: found };
  return missing(`connector ${connectorName} has no function "${functionName}"; it has: ${Object.keys(connector.functions).join(", ")}`);
}

function resolvePlain(connectors: readonly Connector[], name: string): ResolvedFunction {
  // A version belongs to a connector's function: `vm.create:1` without its connector would be whichever was listed first.
  if (name.includes(":")) return missing(`"${name}" does not say which connector: write ${name}@<connector>`);
  for (const connector of connectors) {
    const found = ownFunction(connector, name);
    if (found !== undefined) return { kind: "found", connector, function: found };
  }
  return missing(`no connector offers "${name}"`);
}

function ownFunction(connector: Connector, name: string): ConnectorFunction | undefined {
  return Object.hasOwn(connector.functions, name) ? connector.functions[name] : undefined;
}

function missing(reason: string): ResolvedFunction {
  return { kind: "missing", reason };
}
