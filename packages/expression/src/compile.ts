import type { Json } from "@tutti/model";
import type { Node } from "./ast.ts";
import { type Cell, ancestor, type Code, constant, IDENTITY, single } from "./code.ts";
import { compileAssign } from "./compile-assign.ts";
import { compileBind, compileForeach, compileReduce } from "./compile-bind.ts";
import { compileIndex, compileIterate, compileSlice, RECURSE } from "./compile-access.ts";
import { compileArray, compileFormat, compileObject, compileString } from "./compile-construct.ts";
import {
  compileAlternative,
  compileBinary,
  compileBreak,
  compileComma,
  compileIf,
  compileLabel,
  compileLogic,
  compileNegate,
  compilePipe,
  compileTry,
} from "./compile-control.ts";
import { compileCall, compileFunction } from "./compile-function.ts";
import type { ExpressionSyntaxError } from "./errors.ts";
import type { Scope } from "./scope.ts";

/** What compiling one program needs besides its tree. */
export interface Compiler {
  compile(node: Node, scope: Scope): Code;
  /** The slot of a variable that the program's caller provides. */
  slotOf(name: string): number | undefined;
  /** How deep definitions are nested in the one being compiled. */
  functionDepth: number;
  error(message: string, at: number): ExpressionSyntaxError;
}

/** Compiles a tree to closures. Errors are unknown names; everything else was the parser's to find. */
export function compileNode(compiler: Compiler, node: Node, scope: Scope): Code {
  switch (node.kind) {
    case "identity":
      return IDENTITY;
    case "recurse":
      return RECURSE;
    case "literal":
      return constant(node.value);
    case "variable":
      return compileVariable(compiler, node, scope);
    case "format":
      return compileFormat(compiler, node);
    case "string":
      return compileString(compiler, node, scope);
    case "index":
      return compileIndex(compiler, node, scope);
    case "slice":
      return compileSlice(compiler, node, scope);
    case "iterate":
      return compileIterate(compiler, node, scope);
    case "array":
      return compileArray(compiler, node, scope);
    case "object":
      return compileObject(compiler, node, scope);
    case "negate":
      return compileNegate(compiler, node, scope);
    case "pipe":
      return compilePipe(compiler, node, scope);
    case "comma":
      return compileComma(compiler, node, scope);
    case "binary":
      return compileBinary(compiler, node, scope);
    case "and":
    case "or":
      return compileLogic(compiler, node, scope);
    case "alternative":
      return compileAlternative(compiler, node, scope);
    case "assign":
      return compileAssign(compiler, node, scope);
    case "if":
      return compileIf(compiler, node, scope);
    case "try":
      return compileTry(compiler, node, scope);
    case "reduce":
      return compileReduce(compiler, node, scope);
    case "foreach":
      return compileForeach(compiler, node, scope);
    case "bind":
      return compileBind(compiler, node, scope);
    case "label":
      return compileLabel(compiler, node, scope);
    case "break":
      return compileBreak(compiler, node, scope);
    case "function":
      return compileFunction(compiler, node, scope);
    case "call":
      return compileCall(compiler, node, scope);
  }
}

function compileVariable(compiler: Compiler, node: Node & { kind: "variable" }, scope: Scope): Code {
  const hops = scope.variable(node.name);
  // The compiler put a value into this cell; see Scope.
  if (hops !== undefined) return single((_run, _input, env) => (ancestor(env, hops) as Cell).value as Json, 1);
  const slot = compiler.slotOf(node.name);
  if (slot === undefined) throw compiler.error(`$${node.name} is not defined`, node.at);
  return single((run) => run.slots[slot] ?? null, 1);
}
