import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AppError } from "@tutti/model";
import type { Store } from "@tutti/store";
import { commitOf, eventOf, idOf, rowOf, TENANT } from "@tutti/store/fixtures";
import { expect, test } from "vitest";
import { checkStore } from "./check.ts";
import { Connection } from "./connection.ts";
import { DATABASE_FILE, openSqliteStore } from "./sqlite-store.ts";
import { withDirectory } from "./testing/directory.ts";

const RUNS = 12;
const FLIPS = 80;
/** Flips are spread by a fixed step through the file, so that a failure comes again. */
const STEP = 7919;
const TIMEOUT_MS = 600_000;

/** What every look-up answers: text, or the code of the error. */
async function answers(store: Store): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const ask = async (what: string, question: () => Promise<unknown>): Promise<void> => {
    try {
      found.set(what, JSON.stringify(await question()) ?? "undefined");
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      found.set(what, `error ${error.code}`);
    }
  };
  for (let number = 1; number <= RUNS; number++) {
    await ask(`run ${number}`, () => store.loadRun(idOf(number)));
    await ask(`records ${number}`, () => store.loadRecords(idOf(number), { withSnapshot: false }));
  }
  await ask("list", () => store.listRuns({ tenant: TENANT, limit: 100 }));
  await ask("events", () => store.listEvents(TENANT, 100));
  await ask("messages", () => store.readMessages(0, 100));
  await ask("definition", () => store.loadDefinition({ namespace: "ops", name: "deploy", version: "1.0.0" }));
  return found;
}

/** The same text read without our checksums: the control. */
function rawTexts(directory: string): string {
  const database = new DatabaseSync(join(directory, DATABASE_FILE));
  try {
    return JSON.stringify(database.prepare("select run_key, seq_first, body from record order by run_key, seq_first").all());
  } catch (error) {
    return `error ${String(error)}`;
  } finally {
    database.close();
  }
}

test(
  "a flipped bit is never an answer: it is found when the row is read, or by the check, or changes nothing",
  async () => {
    await withDirectory(async (original) => {
      await fillStore(original);
      const reference = openSqliteStore({ directory: original });
      await reference.start();
      const expected = await answers(reference);
      await reference.stop();
      const file = readFileSync(join(original, DATABASE_FILE));
      const expectedRaw = rawTexts(original);
      const seen = { refused: 0, damaged: 0, missing: 0, same: 0, silentWithoutChecksums: 0 };
      for (let flip = 0; flip < FLIPS; flip++) {
        await withDirectory(async (directory) => {
          // The first one is in the text of a record, so that the control does not depend on where the others fall.
          const place = flip === 0 ? placeInRecord(file, expectedRaw) : usedPlace(file, (flip * STEP * 13) % file.length);
          const bit = flip % 8;
          copyFlipped({ file, directory, place, bit });
          const raw = rawTexts(directory);
          if (!raw.startsWith("error") && raw !== expectedRaw) seen.silentWithoutChecksums += 1;
          const found = await readFlipped(directory);
          if (found === "refused") {
            seen.refused += 1;
            return;
          }
          const changed = [...expected].filter(([what, answer]) => found.answers.get(what) !== answer);
          // What a damaged index hides is not there: the answer of an empty place. Anything else must be the error.
          const wrong = changed.filter(
            ([what]) =>
              !/^error (store-damaged|run-not-found)$/.test(found.answers.get(what) ?? "") &&
              isInvented(found.answers.get(what), expected.get(what)),
          );
          expect({ place, bit, wrong }).toEqual({ place, bit, wrong: [] });
          if (changed.length > 0) expect({ place, bit, damage: found.damage }).not.toEqual({ place, bit, damage: 0 });
          if (changed.length === 0) seen.same += 1;
          else if (changed.some(([what]) => found.answers.get(what) === "error store-damaged")) seen.damaged += 1;
          else seen.missing += 1;
        });
      }
      expect(seen.damaged + seen.refused).toBeGreaterThan(FLIPS / 10);
      // Control: read without checksums, some flips would have been taken for data.
      expect(seen.silentWithoutChecksums).toBeGreaterThan(0);
    });
  },
  TIMEOUT_MS,
);

/** Whether an answer says something that is not part of the right one; a shorter list only lacks something, which the check finds. */
function isInvented(answer: string | undefined, expected: string | undefined): boolean {
  if (answer === undefined || answer === "undefined") return false;
  const parts = answer.match(/"(run_id|runId|body|text)":"(?:[^"\\]|\\.)*"/g) ?? [];
  return parts.some((part) => !(expected ?? "").includes(part));
}

async function readFlipped(
  directory: string,
): Promise<"refused" | { readonly answers: ReadonlyMap<string, string>; readonly damage: number }> {
  const store = openSqliteStore({ directory });
  try {
    await store.start();
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    return "refused";
  }
  const found = await answers(store);
  await store.abandon();
  const connection = new Connection(join(directory, DATABASE_FILE));
  const { damage } = checkStore(connection);
  connection.close();
  return { answers: found, damage: damage.length };
}

/** The middle of the first record's text. */
function placeInRecord(file: Buffer, rows: string): number {
  const [first] = JSON.parse(rows) as readonly { readonly body: string }[];
  const body = first?.body ?? "";
  const start = file.indexOf(body);
  expect(start).toBeGreaterThan(0);
  return start + Math.floor(body.length / 2);
}

/** The next byte that is not zero: most of a small database is empty. */
function usedPlace(file: Buffer, from: number): number {
  const place = file.findIndex((byte, index) => index >= from && byte !== 0);
  return place === -1 ? 0 : place;
}

function copyFlipped(options: { readonly file: Buffer; readonly directory: string; readonly place: number; readonly bit: number }): void {
  const copy = Buffer.from(options.file);
  copy[options.place] = (copy[options.place] ?? 0) ^ (1 << options.bit);
  mkdirSync(options.directory, { recursive: true });
  writeFileSync(join(options.directory, DATABASE_FILE), copy);
}

async function fillStore(directory: string): Promise<void> {
  const store = openSqliteStore({ directory });
  await store.start();
  for (let round = 0; round < 4; round++) {
    const runs = Array.from({ length: RUNS }, (_, index) =>
      commitOf(index + 1, round * 3, {
        count: 3,
        ...(round === 3 ? { row: rowOf({ status: "completed", labels: { team: `t${index}` } }) } : {}),
      }),
    );
    await store.commit({ runs });
  }
  for (let number = 0; number < 10; number++) await store.acceptEvent(eventOf(`${number}`));
  await store.commit({ runs: [commitOf(1, 12, { send: [{ toRunId: idOf(2), body: { type: "note", text: "hello" } }] })] });
  await store.putDefinition({
    namespace: "ops",
    name: "deploy",
    version: "1.0.0",
    digest: "d",
    text: "document: text\n".repeat(50),
    baseDirectory: undefined,
    publishedAtMs: 0,
  });
  await store.stop();
}
