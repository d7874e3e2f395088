import { isJsonObject, type JsonObject } from "@tutti/model";
import type { Mirror, Monitor } from "./monitor.ts";
import { isAsPredicted, predict, textOf } from "./oracle.ts";
import type { SimWorld } from "./sim-world.ts";
import { must } from "./violation.ts";
import type { Workload } from "./workload.ts";

/**
 * When all is calm: every run that nobody interfered with, and whose outcome follows from its document alone, has come to it, with the effects
 * that belong to it.
 *
 * @returns how many runs could be judged.
 */
export function checkOracle(deps: { readonly workload: Workload; readonly monitor: Monitor; readonly world: SimWorld }): number {
  const { workload, monitor, world } = deps;
  const documents = new Map(workload.documents.map((document): [string, JsonObject] => [nameOf(document), document]));
  let judged = 0;
  for (const mirror of monitor.mirrors.values()) {
    const document = documents.get(mirror.name);
    const [first] = mirror.records;
    if (document === undefined || mirror.parent !== undefined || !monitor.isStrict(mirror.runId) || first?.type !== "run-started") continue;
    const prediction = predict(document, first.input, documents);
    if (prediction.kind === "open") continue;
    judged += 1;
    const label = (): string => `${mirror.runId} of ${JSON.stringify(document)} with ${JSON.stringify(first.input)}`;
    must(
      mirror.status === prediction.kind,
      "a run ends as the oracle says",
      () => `${label()} is ${mirror.status}, not ${prediction.kind}: ${JSON.stringify(mirror.state.error)} ${tasksOf(mirror)}`,
    );
    if (prediction.output !== undefined) {
      const { output = null } = mirror.state;
      must(
        isAsPredicted(output, prediction.output),
        "a run gives what the oracle says",
        () => `${label()} gives ${JSON.stringify(output)}, not ${JSON.stringify(prediction.output)}`,
      );
    }
    if (prediction.effects === undefined) continue;
    const effects: Record<string, number> = {};
    for (const effect of world.effects) if (effect.runId === mirror.runId) effects[effect.function] = (effects[effect.function] ?? 0) + 1;
    const predicted = Object.fromEntries(prediction.effects);
    must(
      JSON.stringify(sorted(effects)) === JSON.stringify(sorted(predicted)),
      "a run has the effects that the oracle says",
      () => `${label()} has had ${JSON.stringify(effects)}, not ${JSON.stringify(predicted)}`,
    );
  }
  return judged;
}

function sorted(counts: Readonly<Record<string, number>>): readonly (readonly [string, number])[] {
  return Object.entries(counts).toSorted(([left], [right]) => (left < right ? -1 : 1));
}

function tasksOf(mirror: Mirror): string {
  return JSON.stringify([...mirror.state.tasks.values()].map(({ id, key, phase }) => ({ id, key, phase })));
}

function nameOf(document: JsonObject): string {
  const head = document["document"];
  return head !== undefined && isJsonObject(head) ? textOf(head["name"]) : "";
}
