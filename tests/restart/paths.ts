import { rmSync } from "node:fs";
import { join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { DATABASE_FILE } from "@tutti/store-sqlite";
import type { Store } from "@tutti/store";
import type { Random } from "@tutti/testkit";
import { type Ground, groundOf, makeDirectory, SqliteGround } from "../conformance/suite-runner/ground.ts";
import type { PlayOptions } from "../conformance/suite-runner/play.ts";
import { type CrashPlan, everyPosition } from "./positions.ts";

/** One way of dying and coming back. */
export interface RestartPath {
  readonly name: string;
  readonly ground: () => Ground;
  readonly plan: (random: Random) => CrashPlan;
  readonly options?: PlayOptions;
}

/** A long workflow has hundreds of positions; the rest of them are left alone, so that a case takes seconds. */
const DEATHS_MAX = 60;
/** Of the moments between two commits one in so many is the last of its process. */
const MOMENT_CHANCE = 0.15;
const MOMENTS: readonly string[] = ["commit.before", "attempt.before", "attempt.after", "look-up.before", "acknowledge.before"];

const walk = (): CrashPlan => capped(everyPosition().plan);

export const RESTART_PATHS: readonly RestartPath[] = [
  { name: "memory: at every step", ground: () => groundOf("memory"), plan: walk },
  { name: "SQLite: at every step, from the records", ground: () => groundOf("sqlite"), plan: walk },
  {
    name: "SQLite: at every step, from a snapshot of each",
    ground: () => groundOf("sqlite"),
    plan: walk,
    options: { limits: { snapshotAfterRecords: 0 } },
  },
  { name: "SQLite: at every step, from a backup restored elsewhere", ground: () => new RestoredGround({ isOld: false }), plan: walk },
  {
    name: "SQLite: at random moments between the steps",
    ground: () => groundOf("sqlite"),
    plan: (random) => capped((name) => MOMENTS.includes(name) && random.chance(MOMENT_CHANCE)),
  },
];

/** Comes back from the backup before the last one: what happened since is forgotten, and must be missed. */
export const CONTROL_PATH: RestartPath = {
  name: "control: from a backup that is one death old",
  ground: () => new RestoredGround({ isOld: true }),
  plan: walk,
};

function capped(plan: CrashPlan): CrashPlan {
  let deaths = 0;
  return (name, detail) => {
    if (deaths >= DEATHS_MAX || !plan(name, detail)) return false;
    deaths += 1;
    return true;
  };
}

/** After each death the store is backed up, and the next process works on the backup in another directory. */
class RestoredGround extends SqliteGround {
  readonly #isOld: boolean;
  readonly #all = [this.directory];
  /** The backup that the next but one process would come back from. */
  #previous: string | undefined;

  constructor({ isOld }: { readonly isOld: boolean }) {
    super();
    this.#isOld = isOld;
  }

  override async died(store: Store): Promise<void> {
    await super.died(store);
    const next = makeDirectory("tutti-restored-");
    if (this.#all.push(next) === 2) await this.#backUpByStore(next);
    else await this.#backUpBySqlite(next);
    this.directory = this.#isOld && this.#previous !== undefined ? this.#previous : next;
    this.#previous = next;
  }

  /** As an operator does it. The store makes a thread for that, which takes longer than all else that a life does: once in a play. */
  async #backUpByStore(next: string): Promise<void> {
    const source = this.open();
    await source.start();
    try {
      await source.backup(join(next, DATABASE_FILE));
    } finally {
      await source.stop();
    }
  }

  /** What the store's thread calls. */
  async #backUpBySqlite(next: string): Promise<void> {
    const source = new DatabaseSync(join(this.directory, DATABASE_FILE), { readOnly: true });
    try {
      await backup(source, join(next, DATABASE_FILE));
    } finally {
      source.close();
    }
  }

  override remove(): void {
    super.remove();
    for (const directory of this.#all) rmSync(directory, { recursive: true, force: true });
  }
}
