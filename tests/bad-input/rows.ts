import { CLOCK_ROWS, openClockHouse } from "./clock-rows.ts";
import { DIRECTORY_ROWS } from "./directory-rows.ts";
import { DOCUMENT_ROWS } from "./document-rows.ts";
import { House } from "./house.ts";
import { AUTHORITY, NETWORK_ROWS, openTrustingHouse } from "./network-rows.ts";
import { PROCESS_ROWS } from "./process-rows.ts";
import type { Row } from "./row.ts";
import { VALUE_ROWS } from "./value-rows.ts";

/** Rows that share a process, by what they are about. */
export interface Group {
  readonly title: string;
  readonly rows: readonly Row[];
  readonly open: () => Promise<House>;
  readonly close?: () => void;
}

const open = (): Promise<House> => House.open();

/** All of docs/bad-input.md, in its order. */
export const GROUPS: Readonly<Record<string, Group>> = {
  documents: { title: "Documents", rows: DOCUMENT_ROWS, open },
  values: { title: "Values, names and events", rows: VALUE_ROWS, open },
  network: { title: "Other systems", rows: NETWORK_ROWS, open: openTrustingHouse, close: () => AUTHORITY.remove() },
  processes: { title: "Scripts and commands", rows: PROCESS_ROWS, open },
  directory: { title: "Data directory, settings and secrets", rows: DIRECTORY_ROWS, open },
  clock: { title: "Clocks", rows: CLOCK_ROWS, open: openClockHouse },
};
