import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { attemptForTests, type RecordingAttempt } from "../attempt-for-tests.ts";
import type { Attempt, Connector, ConnectorFunction } from "../connector.ts";
import type { AttemptProvider } from "../provider.ts";
import { renderUndo } from "../undo.ts";
import { freshToken } from "./bench.ts";

/** What a call of a test may have of its own. */
export type GivenToCall = Partial<Pick<Attempt, "token" | "provider" | "number" | "signal" | "baseDirectory">>;

/** Calls of a connector's functions as the runtime makes them, for the connector's own tests. */
export interface CallsForTests {
  /** An attempt at the provider, with a token of its own. */
  readonly attempt: (more?: GivenToCall) => RecordingAttempt;
  /** The function as declared. @throws Error when there is none. */
  readonly declared: (name: string) => ConnectorFunction;
  /** Calls the function and stores its end. @throws what the function throws; Error when its output is no object. */
  readonly call: (name: string, input: JsonObject, more?: GivenToCall) => Promise<JsonObject>;
  /** Takes a call back, as a back-out does. @throws as `call`; Error when the function has no undo. */
  readonly undo: (name: string, input: JsonObject, output: Json) => Promise<JsonObject>;
}

/** @param provider Asked at each call, since the system may be started after this. */
export function callsForTests(connector: Connector, provider: () => AttemptProvider): CallsForTests {
  const attempt = (more: GivenToCall = {}): RecordingAttempt => {
    const given = { token: freshToken(), ...more };
    return attemptForTests("provider" in given ? given : { ...given, provider: provider() });
  };
  const declared = (name: string): ConnectorFunction => {
    const found = connector.functions[name];
    if (found === undefined) throw new Error(`connector ${connector.name} has no function ${name}`);
    return found;
  };
  const call = async (name: string, input: JsonObject, more: GivenToCall = {}): Promise<JsonObject> => {
    const own = attempt(more);
    const output = await declared(name).run(input, own);
    await own.store();
    if (!isJsonObject(output)) throw new Error(`${name} gave no object`);
    return output;
  };
  return {
    attempt,
    declared,
    call,
    undo: (name, input, output) => {
      const template = declared(name).undo;
      if (template === undefined) throw new Error(`${name} has no undo`);
      const { provider: _, ...given } = renderUndo(template, { input, output });
      return call(template.call, given);
    },
  };
}
