import type { Json } from "@tutti/model";
import { add, BINARY } from "./arithmetic.ts";
import type { Node } from "./ast.ts";
import { type Code, type Each, type Env, firstOf, many, type One, single } from "./code.ts";
import type { Compiler } from "./compile.ts";
import { PathEditor } from "./path-editor.ts";
import { deletePaths, Location } from "./paths.ts";
import type { Run } from "./run.ts";
import type { Scope } from "./scope.ts";
import { isTruthy } from "./values.ts";

type AssignNode = Extract<Node, { kind: "assign" }>;

export function compileAssign(compiler: Compiler, node: AssignNode, scope: Scope): Code {
  const left = compiler.compile(node.left, scope);
  const right = compiler.compile(node.right, scope);
  if (node.operator === "|=") return update(left, right);
  const { at } = node;
  const combine = combiner(node.operator);
  // The right side sees the whole input, and each of its outputs gives one result.
  const assign = (run: Run, input: Json, env: Env, value: Json): Json => {
    const editor = new PathEditor(run, input);
    left.paths(run, Location.root(input), env, (location) => {
      const path = location.path(run);
      editor.update(path, (old) => {
        run.at = at;
        return combine(run, old, value);
      });
      return false;
    });
    return editor.value;
  };
  const each: Each = (run, input, env, emit) => right.each(run, input, env, (value) => emit(assign(run, input, env, value)));
  const rightOne = right.one;
  if (rightOne === undefined) return many(each);
  const one: One = (run, input, env) => assign(run, input, env, rightOne(run, input, env));
  return single(one, growthOf(left, right));
}

// An assignment adds one value per path; only a fixed number of paths keeps the growth bounded.
function growthOf(left: Code, right: Code): number {
  return left.one === undefined ? Number.POSITIVE_INFINITY : (1 + left.growth) * (1 + right.growth);
}

type Combiner = (run: Run, old: Json, value: Json) => Json;

function combiner(operator: Exclude<AssignNode["operator"], "|=">): Combiner {
  switch (operator) {
    case "=":
      return (_run, _old, value) => value;
    case "//=":
      return (_run, old, value) => (isTruthy(old) ? old : value);
    case "+=":
      return add;
    case "-=":
      return BINARY["-"];
    case "*=":
      return BINARY["*"];
    case "/=":
      return BINARY["/"];
    case "%=":
      return BINARY["%"];
  }
}

/** `paths |= change`: the first output replaces what stands there; where there is none, the path is deleted at the end. */
export function update(paths: Code, change: Code): Code {
  return single(
    (run, input, env) => {
      const editor = new PathEditor(run, input);
      const deleted: Json[][] = [];
      paths.paths(run, Location.root(input), env, (location) => {
        const path = location.path(run);
        const isUpdated = editor.tryUpdate(path, (old) => firstOf(run, change, old, env));
        if (!isUpdated) deleted.push(path);
        return false;
      });
      return deleted.length === 0 ? editor.value : deletePaths(run, editor.value, deleted);
    },
    growthOf(paths, change),
  );
}
