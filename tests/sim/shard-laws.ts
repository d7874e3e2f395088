import { type Beat, type BeatAnswer, type CommitBatch, type CommitResult, type OwnedShard, shardOf, SHARDS } from "@tutti/store";
import type { Scheduler } from "./scheduler.ts";
import { must } from "./violation.ts";

/** A shard that was handed over in order has another owner this long after: a beat, and what the store takes for it. */
const HANDED_OVER_MS = 2000;

interface Known {
  epoch: number;
  /** Undefined when it was handed over. */
  nodeId: string | undefined;
  untilMs: number;
  handedOverAtMs?: number;
}

/** Who may do what with which shard, kept beside the store from what it answers, by the time of the simulation. */
export class ShardLaws {
  claims = 0;
  takeovers = 0;
  fenced = 0;
  readonly #scheduler: Scheduler;
  readonly #shards = new Map<number, Known>();

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  beaten(nodeId: string, beat: Beat, answer: BeatAnswer): void {
    const { nowMs } = this.#scheduler;
    for (const { shard, epoch } of answer.kept) {
      const known = this.#shards.get(shard);
      const isOwn = known !== undefined && known.nodeId === nodeId && known.epoch === epoch && known.untilMs > nowMs;
      must(isOwn, "only a lease that lasts is renewed", () => `${nodeId} renews shard ${shard} under ${epoch}: ${JSON.stringify(known)}`);
      known.untilMs = nowMs + beat.leaseMs;
    }
    for (const { shard, epoch } of answer.claimed) {
      const known = this.#shards.get(shard);
      const describe = (): string => `${nodeId} claims shard ${shard} under ${epoch}: ${JSON.stringify(known)}`;
      must(epoch > (known?.epoch ?? 0), "epochs grow", describe);
      const isFree = known?.nodeId === undefined || known.untilMs <= nowMs || known.nodeId === nodeId;
      must(isFree, "a shard has one owner", describe);
      this.claims += 1;
      if (known?.nodeId !== undefined && known.nodeId !== nodeId) this.takeovers += 1;
      this.#shards.set(shard, { epoch, nodeId, untilMs: nowMs + beat.leaseMs });
    }
    const held = answer.kept.length + answer.claimed.length;
    if (beat.mayClaim && held < answer.share)
      for (let shard = 0; shard < SHARDS; shard += 1)
        must(this.#isHeld(shard), "no shard is left alone", () => `${nodeId} has ${held} of ${answer.share} and leaves shard ${shard}`);
  }

  handedOver(nodeId: string, shards: readonly OwnedShard[]): void {
    for (const { shard, epoch } of shards) {
      const known = this.#shards.get(shard);
      if (known?.nodeId !== nodeId || known.epoch !== epoch) continue;
      known.nodeId = undefined;
      known.handedOverAtMs = this.#scheduler.nowMs;
    }
  }

  committed({ runs }: CommitBatch, { verdicts }: CommitResult): void {
    runs.forEach(({ runId, epoch }, index) => {
      const verdict = verdicts[index]?.verdict;
      if (verdict === "fenced") this.fenced += 1;
      if (verdict !== "committed") return;
      const known = this.#shards.get(shardOf(runId));
      must(known?.epoch === epoch, "no commit under an epoch that is over", () => `${runId} under ${epoch}: ${JSON.stringify(known)}`);
    });
  }

  /** Somebody sends something to the world for this run. */
  sends(nodeId: string, runId: string): void {
    const known = this.#shards.get(shardOf(runId));
    const { nowMs } = this.#scheduler;
    must(
      known?.nodeId === nodeId && known.untilMs > nowMs,
      "nobody sends without a lease",
      () => `${nodeId} sends for ${runId} at ${nowMs}: ${JSON.stringify(known)}`,
    );
  }

  /** At a moment at which every shard must have an owner that lives, or was just handed over in order. */
  checkOwned(living: ReadonlySet<string>): void {
    const { nowMs } = this.#scheduler;
    for (let shard = 0; shard < SHARDS; shard += 1) {
      const known = this.#shards.get(shard);
      const isOwned = known?.nodeId !== undefined && living.has(known.nodeId) && known.untilMs > nowMs;
      const isOnItsWay = known?.nodeId === undefined && (known?.handedOverAtMs ?? Number.NEGATIVE_INFINITY) > nowMs - HANDED_OVER_MS;
      must(
        isOwned || isOnItsWay,
        "a dead node's runs are taken over within a lease and two seconds",
        () => `shard ${shard} at ${nowMs}: ${JSON.stringify(known)}, living: ${[...living].join(" ")}`,
      );
    }
  }

  #isHeld(shard: number): boolean {
    const known = this.#shards.get(shard);
    return known?.nodeId !== undefined && known.untilMs > this.#scheduler.nowMs;
  }
}
