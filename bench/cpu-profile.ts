import type { Profiler } from "node:inspector";

/** One line of where the main thread's time goes. */
export interface CpuShare {
  /** A package of ours, a built-in module, or what V8 calls `(garbage collector)`. */
  readonly area: string;
  readonly percent: number;
  readonly usPerStep: number;
  /** Heaviest functions of the area by their own time, with their share of the whole. */
  readonly functions: readonly { readonly name: string; readonly percent: number }[];
}

const FUNCTIONS_SHOWN = 4;

/** Nobody works in the one, and the other is the work of profiling. */
const NOT_OURS: ReadonlySet<string> = new Set(["(idle)", "node:inspector"]);

/** Sums a sampled profile by package, so that the shares add up to `cpuUsPerStep`: the CPU used where nobody profiles. */
export function shareByArea(profile: Profiler.Profile, cpuUsPerStep: number): readonly CpuShare[] {
  const own = new Map<number, number>();
  const samples = profile.samples ?? [];
  const deltas = profile.timeDeltas ?? [];
  samples.forEach((node, index) => own.set(node, (own.get(node) ?? 0) + (deltas[index] ?? 0)));
  const areas = new Map<string, { us: number; functions: Map<string, number> }>();
  let total = 0;
  for (const node of profile.nodes) {
    const us = own.get(node.id) ?? 0;
    const area = areaOf(node.callFrame);
    if (us === 0 || NOT_OURS.has(area)) continue;
    total += us;
    const entry = areas.get(area) ?? { us: 0, functions: new Map<string, number>() };
    entry.us += us;
    const name = node.callFrame.functionName || "(anonymous)";
    entry.functions.set(name, (entry.functions.get(name) ?? 0) + us);
    areas.set(area, entry);
  }
  return [...areas]
    .map(([area, entry]) => ({
      area,
      percent: (100 * entry.us) / total,
      usPerStep: (cpuUsPerStep * entry.us) / total,
      functions: [...entry.functions]
        .toSorted((left, right) => right[1] - left[1])
        .slice(0, FUNCTIONS_SHOWN)
        .map(([name, us]) => ({ name, percent: (100 * us) / total })),
    }))
    .toSorted((left, right) => right.percent - left.percent);
}

function areaOf(frame: Profiler.ProfileNode["callFrame"]): string {
  const ours = /\/(packages\/(?:connectors\/)?[^/]+|apps\/[^/]+|bench)\/(?!node_modules)/.exec(frame.url)?.[1];
  if (ours !== undefined) return ours;
  const dependency = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(frame.url)?.[1];
  if (dependency !== undefined) return dependency;
  if (frame.functionName.startsWith("(")) return frame.functionName;
  return frame.url.startsWith("node:") ? frame.url.split("/").slice(0, 2).join("/") : "(native)";
}
