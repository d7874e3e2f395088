import { compileIterate } from "../compile-access.ts";
import { type Code, IDENTITY } from "../code.ts";
import { Scope } from "../scope.ts";

/** `.[]`, for builtins that are defined by it. */
export const ITERATE: Code = iterateInput();

function iterateInput(): Code {
  const identity = { kind: "identity", at: 0 } as const;
  const compiler = {
    compile: () => IDENTITY,
    slotOf: () => undefined,
    functionDepth: 0,
    error: (message: string): never => {
      throw new Error(message);
    },
  };
  return compileIterate(compiler, { kind: "iterate", target: identity, optional: false, at: 0 }, Scope.EMPTY);
}
