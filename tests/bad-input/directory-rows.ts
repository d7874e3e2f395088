import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, openSync, closeSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { withSmallDisk } from "../disk/small-disk.ts";
import { House } from "./house.ts";
import { failingRun, head, type Row, runIdIn, type Seen } from "./row.ts";

const EVENT = `${head("event")}do:
  - approval:
      listen: { to: { one: { with: { type: com.example.approved } } } }
`;
const HELLO = `${head("hello")}do:\n  - greet: { set: { a: 1 } }\n`;
const BALLAST_MIB = 6;
const KIB = 1024;

/** A house of its own for as long as `use` takes. */
async function alone(use: (house: House) => Promise<Seen>, made: House = House.make()): Promise<Seen> {
  try {
    return await use(made);
  } finally {
    await made.close();
  }
}

/** A data directory with a run in it that waits for an event, and nobody there. */
async function leftBehind(house: House): Promise<string> {
  house.write("event.yaml", EVENT);
  return runIdIn(await house.tutti("run", "start", "event.yaml"));
}

/** After the cause is gone: everything that was there is there, and works. */
async function mustGoOn(house: House, runId: string): Promise<void> {
  const sent = await house.tutti("event", "send", "--type", "com.example.approved");
  assert.equal(sent.code, 0, sent.error);
  const driven = await house.tutti("up", "--until-idle");
  assert(driven.out.includes(`${runId}  bad/event:1.0.0  completed`), `${driven.out}${driven.error}`);
}

/** A change in the database that the process knows nothing of. */
function alter(house: House, sql: string): void {
  const database = new DatabaseSync(join(house.data.path, "tutti.db"));
  database.exec(sql);
  database.close();
}

async function onSmallDisk(use: (disk: string) => Promise<Seen>): Promise<Seen> {
  const seen = await withSmallDisk(use);
  assert(seen !== undefined, "a small disk can be mounted");
  return seen;
}

export const DIRECTORY_ROWS: readonly Row[] = [
  {
    name: "store-in-use",
    input: "a second `tutti up` on the same directory",
    code: "store-in-use",
    exit: 3,
    says: ["Process {pid} drives all runs of {dir} already.", "Stop it first, or name another directory with --data."],
    goesOn: "The first one goes on.",
    act: async (house) => ({ ended: await house.tutti("up"), names: { pid: house.pid, dir: house.data.path } }),
  },
  {
    name: "owner-that-hangs",
    input: "a command while the process that drives runs hangs",
    code: "owner-unreachable",
    exit: 4,
    says: [
      "The process that owns the data directory does not answer within 15 s (socket {socket}).",
      "Look for a stopped or hanging `tutti` process",
    ],
    goesOn: "When it moves again the command works, and its runs go on.",
    act: async () =>
      alone(async (house) => {
        await house.start();
        house.signal("SIGSTOP");
        const ended = await house.tutti("run", "list");
        house.signal("SIGCONT");
        assert.equal((await house.tutti("run", "list")).code, 0);
        return { ended, names: { socket: join(house.data.path, "tutti.sock") } };
      }),
  },
  {
    name: "store-of-a-newer-version",
    input: "a data directory that a newer version has written",
    code: "store-newer",
    exit: 3,
    says: ["{dir}: The data directory has schema version", "use that version"],
    goesOn: "Nothing in it is changed; with the right version everything goes on.",
    act: async () =>
      alone(async (house) => {
        const runId = await leftBehind(house);
        alter(house, "INSERT INTO migration (number, hash) VALUES (1000, 'from the future')");
        const ended = await house.tutti("up");
        alter(house, "DELETE FROM migration WHERE number = 1000");
        await mustGoOn(house, runId);
        return { ended, names: { dir: house.data.path } };
      }),
  },
  {
    name: "damaged-store",
    input: "a database file that was overwritten",
    code: "store-damaged",
    exit: 4,
    says: ["{dir}: ", "Keep a copy of the directory", "tutti admin restore"],
    goesOn: "The process does not start and changes nothing in the file.",
    act: async () =>
      alone(async (house) => {
        await leftBehind(house);
        const file = openSync(join(house.data.path, "tutti.db"), "r+");
        writeSync(file, Buffer.alloc(8 * KIB, 0xaa), 0, 8 * KIB, 0);
        closeSync(file);
        return { ended: await house.tutti("up"), names: { dir: house.data.path } };
      }),
  },
  {
    name: "damaged-run",
    input: "a damaged record of one run",
    code: "store-damaged",
    exit: 4,
    says: ["{run}", "`tutti admin doctor` names what is damaged."],
    goesOn: "Only that run stands still, by name; all others go on, and the doctor names it.",
    act: async () =>
      alone(async (house) => {
        const damaged = await leftBehind(house);
        const sound = await leftBehind(house);
        alter(house, `UPDATE record SET body = substr(body, 2) WHERE run_key = (SELECT run_key FROM run WHERE run_id = '${damaged}')`);
        await mustGoOn(house, sound);
        const doctor = await house.tutti("admin", "doctor");
        assert(doctor.out.includes(damaged), `${doctor.out}${doctor.error}`);
        return { ended: await house.tutti("run", "show", damaged), names: { run: damaged } };
      }),
  },
  {
    name: "full-disk",
    input: "a disk that becomes full",
    code: "store-full",
    exit: 4,
    says: ["The disk of the data directory is full; nothing was written", "Free disk space"],
    goesOn: "The process lives and answers; once there is room again, what is started is kept and completes.",
    act: async () =>
      onSmallDisk(async (disk) =>
        alone(
          async (house) => {
            const ballast = join(disk, "ballast");
            await house.start();
            const { pid } = house;
            house.write("hello.yaml", HELLO);
            await house.tutti("run", "start", "hello.yaml");
            fill(ballast);
            const ended = await refusedStart(house);
            rmSync(ballast);
            const after = await house.tutti("run", "start", "hello.yaml", "--wait");
            assert.equal(after.code, 0, `${after.out}${after.error}`);
            await house.mustLive(pid, 60_000);
            return { ended };
          },
          House.make({ data: join(disk, "data") }),
        ),
      ),
  },
  {
    name: "read-only-directory",
    input: "a data directory on a disk that is read-only",
    code: "file-unreadable",
    exit: 2,
    says: ["{dir}", "ermissions"],
    goesOn: "Once it can be written, everything goes on.",
    act: async () =>
      onSmallDisk(async (disk) =>
        alone(
          async (house) => {
            const runId = await leftBehind(house);
            remount(disk, "ro");
            const ended = await house.tutti("up");
            remount(disk, "rw");
            await mustGoOn(house, runId);
            return { ended, names: { dir: house.data.path } };
          },
          House.make({ data: join(disk, "data") }),
        ),
      ),
  },
  {
    name: "data-directory-is-a-file",
    input: "a file where the data directory should be",
    code: "file-unreadable",
    exit: 2,
    says: ["The data directory {dir} cannot be used", "Name another one with --data DIR or TUTTI_DATA"],
    goesOn: "The file is left as it is.",
    act: async () =>
      alone(async (house) => {
        writeFileSync(house.data.path, "a list of things to buy");
        return { ended: await house.tutti("up"), names: { dir: house.data.path } };
      }),
  },
  {
    name: "directory-of-others",
    input: "a directory with other files in it, open to everybody (`--data /srv`)",
    code: "file-unreadable",
    exit: 2,
    says: ["it is open to other users and holds files that are not Tutti's, so it is not made private"],
    goesOn: "It is not closed to its other users.",
    act: async () =>
      alone(async (house) => {
        mkdirSync(house.data.path, { mode: 0o755 });
        writeFileSync(join(house.data.path, "photo.jpg"), "");
        const ended = await house.tutti("up");
        assert(!existsSync(join(house.data.path, "tutti.db")));
        return { ended };
      }),
  },
  {
    name: "no-data-directory",
    input: "a look into a directory that is not there",
    code: "file-unreadable",
    exit: 2,
    says: ["There is no data directory at {dir}.", "Name yours with --data DIR or TUTTI_DATA"],
    goesOn: "None is made.",
    act: async () =>
      alone(async (house) => {
        const ended = await house.tutti("run", "list");
        assert(!existsSync(house.data.path));
        return { ended, names: { dir: house.data.path } };
      }),
  },
  {
    name: "socket-path-too-long",
    input: "a data directory whose path is too long for a socket",
    code: undefined,
    exit: 0,
    says: ["completed"],
    goesOn: "The socket gets a short path of its own, and everything works.",
    act: async () => {
      const house = House.make({ data: join("d".repeat(60), "e".repeat(60)), environment: { XDG_RUNTIME_DIR: "/tmp/tutti-bad-input" } });
      try {
        return await alone(async () => {
          await house.start();
          house.write("hello.yaml", HELLO);
          return { ended: await house.tutti("run", "start", "hello.yaml", "--wait") };
        }, house);
      } finally {
        rmSync("/tmp/tutti-bad-input", { recursive: true, force: true });
      }
    },
  },
  {
    name: "broken-settings",
    input: "a settings file with a misspelt member",
    code: "settings-invalid",
    exit: 2,
    says: ["{dir}/settings.yaml: network", "docs/reference/settings.md"],
    goesOn: "The process does not start by rules that it may have misread.",
    act: async () =>
      alone(async (house) => {
        mkdirSync(house.data.path, { mode: 0o700 });
        writeFileSync(join(house.data.path, "settings.yaml"), "network: { mod: listed }\n");
        return { ended: await house.tutti("up"), names: { dir: house.data.path } };
      }),
  },
  {
    name: "authorities-missing",
    input: "TUTTI_CA_FILE names a file that is not there",
    code: "settings-invalid",
    exit: 2,
    says: ["/nothere.pem: not usable as a list of trusted authorities"],
    goesOn: "The process does not start without the trust it was told to have.",
    act: async () =>
      alone(async (house) => ({ ended: await house.tutti("up") }), House.make({ environment: { TUTTI_CA_FILE: "/nothere.pem" } })),
  },
  {
    name: "missing-secret",
    input: "a secret that nobody has provided",
    code: "authorization 403",
    exit: 1,
    says: [
      "/do/bad failed",
      'There is no secret "token". Put it into the file secrets/token of the data directory (mode 600), then retry.',
    ],
    goesOn: "The run rests at `/do/bad`; once the secret is there, `retry` goes on. No restart is needed.",
    act: async (house) => ({ ended: await failingRun(house, withSecret(house, "token", 0o600)) }),
  },
  {
    name: "open-secret",
    input: "a secret in a file that others may read",
    code: "authorization 403",
    exit: 1,
    says: ["/do/bad failed", "is open to other users (mode 0644), so it is not used"],
    goesOn: "The run rests at `/do/bad`; once the file is closed (chmod 600), `retry` goes on.",
    act: async (house) => {
      writeFileSync(join(house.data.secrets, "opened"), "hidden", { mode: 0o644 });
      return { ended: await failingRun(house, withSecret(house, "opened", 0o600)) };
    },
  },
];

/** A run that needs a secret, and the secret as its cure. */
function withSecret(house: House, name: string, mode: number): Parameters<typeof failingRun>[1] {
  return {
    name: `secret-${name}`,
    also: `use: { secrets: [ ${name} ] }\n`,
    tasks: `  - bad:\n      run: { shell: { command: "test -n \\"$SECRET\\"", environment: { SECRET: '\${ $secrets.${name} }' } } }\n`,
    cure: () => {
      writeFileSync(join(house.data.secrets, name), "hidden", { mode });
      chmodSync(join(house.data.secrets, name), mode);
    },
  };
}

/** Fills a disk to its last block. */
function fill(ballast: string): void {
  writeFileSync(ballast, Buffer.alloc(BALLAST_MIB * KIB * KIB));
  const file = openSync(ballast, "a");
  try {
    for (;;) writeSync(file, Buffer.alloc(4 * KIB));
  } catch {
    // Full.
  } finally {
    closeSync(file);
  }
}

/** Starts until the disk has no room left in what the store had reserved. */
async function refusedStart(house: House): Promise<Seen["ended"]> {
  const large = join(house.directory, "large.json");
  writeFileSync(large, JSON.stringify({ text: "x".repeat(KIB * KIB) }));
  for (let starts = 0; starts < 10; starts++) {
    const ended = await house.tutti("run", "start", "hello.yaml", "-f", large, "--detach");
    if (ended.code !== 0) return ended;
  }
  throw new Error("the disk never became full");
}

function remount(disk: string, how: "ro" | "rw"): void {
  const { status, stderr } = spawnSync("mount", ["-o", `remount,${how}`, disk], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
}
