import type { Connector, ConnectorFunction } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import type { Store } from "@tutti/store";

/** Says whether the process lives that store and connectors belong to. */
export interface Living {
  readonly isAlive: boolean;
}

/** What the dead are told. */
export const NEVER = new Promise<never>(() => undefined);

/** The store as seen by a process that may die: its calls reach it no more, and what a commit says is not heard by the dead. */
export function mortalStore(store: Store, life: Living): Store {
  return new Proxy(store, {
    get: (target, property) => {
      const member: unknown = Reflect.get(target, property, target);
      if (typeof member !== "function") return member;
      return (...parameters: unknown[]): unknown => {
        if (!life.isAlive) return NEVER;
        const result: unknown = Reflect.apply(member, target, parameters);
        return result instanceof Promise ? result.then((value: unknown) => (life.isAlive ? value : NEVER)) : result;
      };
    },
  });
}

/** The connector in a process that may die: nothing is sent any more after that, and no answer arrives. */
export function mortalConnector(connector: Connector, life: Living): Connector {
  const functions = Object.entries(connector.functions).map(([name, one]): [string, ConnectorFunction] => [
    name,
    {
      ...one,
      run: async (input, attempt) => (life.isAlive ? heard(await one.run(input, attempt), life) : NEVER),
      ...(one.find !== undefined && {
        find: async (input, attempt) => (life.isAlive ? heard((await one.find?.(input, attempt)) as Json, life) : NEVER),
      }),
    },
  ]);
  return { ...connector, functions: Object.fromEntries(functions) };
}

function heard<T>(value: T, life: Living): T | Promise<never> {
  return life.isAlive ? value : NEVER;
}
