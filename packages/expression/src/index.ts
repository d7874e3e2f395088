/**
 * Tutti's expression language: jq 1.7, complete but for what reaches outside the data (modules, `input`, `env`, `debug`, `halt`).
 *
 * A source becomes tokens (`lexer`), a tree (`parser`, `ast`) and closures (`compile*`, `builtins/`). An expression that provably
 * has exactly one output is a function that returns it; any other calls back once per output, so that `first` and `limit` stop
 * their producer without exceptions or generators. Path expressions run the same tree over values with their places (`paths`).
 *
 * An evaluation is a pure function of input, variables, `nowMs` and limits: the same everywhere and whenever it is repeated. It is
 * bounded in steps, depth, output and memory (`limits`), reads own properties only, builds objects without a prototype, and never
 * changes a value that it was given.
 *
 * Where it differs from jq on purpose: numbers are doubles (integers beyond 2^53 lose digits), object keys that look like array
 * indices come first (as in every JavaScript object), the only time zone is UTC, and regular expressions are RE2's, without
 * look-ahead and back references. `tests/conformance/jq-exceptions.ts` has the complete list.
 */
export { analyse, type Analysis, type FieldRead, type FreeVariable } from "./analysis.ts";
export { ExpressionError, type ExpressionErrorKind, ExpressionSyntaxError, type SourcePosition } from "./errors.ts";
export { DEFAULT_LIMITS, type Limits } from "./limits.ts";
export { evaluatePartly } from "./partial.ts";
export { compile, type EvaluationOptions, type Program } from "./program.ts";
