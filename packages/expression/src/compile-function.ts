import type { Json } from "@tutti/model";
import type { FunctionNode, Node } from "./ast.ts";
import { BUILTINS } from "./builtins/registry.ts";
import { ancestor, Cell, Closure, type Code, type Each, type EachLocation, type Env, type One, single } from "./code.ts";
import type { Compiler } from "./compile.ts";
import type { Run } from "./run.ts";
import { type Callee, FunctionUnit, type Scope } from "./scope.ts";

type CallNode = Extract<Node, { kind: "call" }>;

// Names of jq that read or change something outside the data. Named, so that the message can say why they are missing.
const EXCLUDED: ReadonlySet<string> = new Set(
  "input inputs debug stderr input_filename input_line_number env halt halt_error get_search_list modulemeta".split(" "),
);
// Bodies are compiled twice when they recurse without yielding one output each; nested definitions would double that per level.
const OPTIMISTIC_DEPTH_MAX = 3;

export function compileFunction(compiler: Compiler, node: FunctionNode, scope: Scope): Code {
  const unit = new FunctionUnit(node, scope);
  // Compiled even if never called: an unknown name in it is an error, as in jq.
  compileUnit(compiler, unit);
  return compiler.compile(node.rest, scope.withFunction(unit));
}

function compileUnit(compiler: Compiler, unit: FunctionUnit): void {
  unit.isCompiling = true;
  compiler.functionDepth++;
  unit.assumesOne = compiler.functionDepth <= OPTIMISTIC_DEPTH_MAX;
  unit.code = compileBody(compiler, unit);
  if (unit.isRecursive && unit.assumesOne && unit.code.one === undefined) {
    unit.assumesOne = false;
    unit.code = compileBody(compiler, unit);
  }
  compiler.functionDepth--;
  unit.isCompiling = false;
}

function compileBody(compiler: Compiler, unit: FunctionUnit): Code {
  const { parameters, body } = unit.node;
  const scope = parameters.reduce(
    (outer, { name, isValue }) => outer.withCell(isValue ? "value-parameter" : "closure-parameter", name),
    unit.scope.withFunction(unit),
  );
  return compiler.compile(body, scope);
}

export function compileCall(compiler: Compiler, node: CallNode, scope: Scope): Code {
  const callee = scope.callee(node.name, node.args.length);
  if (callee === undefined) return compileBuiltin(compiler, node, scope);
  switch (callee.kind) {
    case "value":
      return single((_run, _input, env) => (ancestor(env, callee.hops) as Cell).value as Json, 1);
    case "closure":
      return closureCall(callee.hops, node.at);
    case "function":
      return functionCall(compiler, node, { callee, scope });
  }
}

function compileBuiltin(compiler: Compiler, node: CallNode, scope: Scope): Code {
  const builtin = BUILTINS.get(`${node.name}/${node.args.length}`);
  if (builtin === undefined) throw compiler.error(unknownFunction(node), node.at);
  return builtin({
    args: node.args.map((arg) => compiler.compile(arg, scope)),
    at: node.at,
  });
}

function unknownFunction({ name, args }: CallNode): string {
  const signature = `${name}/${args.length}`;
  if (name.includes("::")) return `${signature} is not defined: expressions have no modules`;
  if (EXCLUDED.has(name)) return `${signature} is not available: an expression sees nothing but its data, so pass it as input`;
  const arities = [...BUILTINS.keys()].filter((key) => key.startsWith(`${name}/`));
  const hint = arities.length === 0 ? "" : `; there is ${arities.join(", ")}`;
  return `${signature} is not defined${hint}`;
}

function closureCall(hops: number, at: number): Code {
  const closureOf = (env: Env): Closure => (ancestor(env, hops) as Cell).value as Closure;
  const each: Each = (run, input, env, emit) => {
    const { code, env: closureEnv } = closureOf(env);
    enter(run, at);
    const stopped = code.each(run, input, closureEnv, emit);
    run.depth--;
    return stopped;
  };
  const paths: EachLocation = (run, input, env, emit) => {
    const { code, env: closureEnv } = closureOf(env);
    enter(run, at);
    const stopped = code.paths(run, input, closureEnv, emit);
    run.depth--;
    return stopped;
  };
  return { one: undefined, each, paths, growth: Number.POSITIVE_INFINITY, constant: undefined };
}

function enter(run: Run, at: number): void {
  run.at = at;
  run.enter();
}

function functionCall(compiler: Compiler, node: CallNode, context: { callee: Callee & { kind: "function" }; scope: Scope }): Code {
  const { unit, hops } = context.callee;
  if (unit.isCompiling) unit.isRecursive = true;
  const args = node.args.map((arg) => compiler.compile(arg, context.scope));
  const { parameters } = unit.node;
  const { at } = node;
  const withFrame = (run: Run, input: Json, env: Env, use: (frame: Env) => boolean): boolean => {
    const push = (position: number, frame: Env): boolean => {
      const parameter = parameters[position];
      if (parameter === undefined) {
        enter(run, at);
        const stopped = use(frame);
        run.depth--;
        return stopped;
      }
      const code = args[position] as Code;
      if (!parameter.isValue) return push(position + 1, new Cell(new Closure(code, env), frame));
      return code.each(run, input, env, (value) => push(position + 1, new Cell(value, frame)));
    };
    return push(0, ancestor(env, hops));
  };
  const each: Each = (run, input, env, emit) => withFrame(run, input, env, (frame) => (unit.code as Code).each(run, input, frame, emit));
  const paths: EachLocation = (run, input, env, emit) =>
    withFrame(run, input.value, env, (frame) => (unit.code as Code).paths(run, input, frame, emit));
  const isOne =
    (unit.isCompiling ? unit.assumesOne : unit.code?.one !== undefined) &&
    parameters.every((parameter, position) => !parameter.isValue || args[position]?.one !== undefined);
  return { one: isOne ? callOne(unit, args, { hops, at }) : undefined, each, paths, growth: Number.POSITIVE_INFINITY, constant: undefined };
}

function callOne(unit: FunctionUnit, args: readonly Code[], { hops, at }: { hops: number; at: number }): One {
  const { parameters } = unit.node;
  return (run, input, env) => {
    let frame = ancestor(env, hops);
    for (let position = 0; position < args.length; position++) {
      const code = args[position] as Code;
      const isValue = parameters[position]?.isValue === true;
      frame = new Cell(isValue ? (code.one as One)(run, input, env) : new Closure(code, env), frame);
    }
    enter(run, at);
    const value = ((unit.code as Code).one as One)(run, input, frame);
    run.depth--;
    return value;
  };
}
