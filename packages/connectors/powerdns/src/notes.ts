import { type Attempt, ConnectorError, z } from "@tutti/connector-kit";
import type { Json, Token } from "@tutti/model";
import { zoneId } from "./names.ts";
import type { PowerdnsApi } from "./powerdns-api.ts";

/** Columns of PowerDNS' databases hold 64 KiB, and a letter may take several bytes. */
const NOTE_BYTES_MAX = 60_000;
/** Kinds of metadata are 32 characters long at most. */
const KIND_HEX = 24;

const Metadata = z.object({ metadata: z.array(z.string()) });

export interface KeptChange<State extends Json> {
  readonly zone: string;
  /** What is there now. */
  readonly current: State;
  /** What is there now may be the work of an earlier attempt of the token. */
  readonly isOurs: boolean;
  /** Makes it as it is wanted; asked also of what is ours, since the input may have been corrected since. */
  readonly apply: () => Promise<unknown>;
}

/**
 * Carries out a change and gives what was there before it, also when an earlier attempt of the token has carried it out and its answer was lost.
 *
 * A crash before the note leaves nothing; one between note and change leaves a note of what is still so, which the next attempt writes anew; one after
 * the change leaves the note that the next attempt answers with. It goes when the end is stored. When nobody comes back for it, it does no harm.
 */
export async function changeKept<State extends Json>(api: PowerdnsApi, attempt: Attempt, change: KeptChange<State>): Promise<State> {
  const note = new Note(api, change.zone, attempt.token);
  attempt.afterStored(async (end) => {
    if (end === "completed") await note.remove();
  });
  if (change.isOurs) {
    const kept = await note.read();
    await change.apply();
    // Kept by an earlier attempt, which read the same kind of state.
    return kept === undefined ? change.current : (kept.before as State);
  }
  await note.write(change.current);
  try {
    await change.apply();
  } catch (error) {
    // Refused for good, so nothing was changed: a later attempt begins anew. What may be tried again may have been carried out, too.
    if (error instanceof ConnectorError && error.outcome === "answered" && !error.retryable) await note.remove().catch(() => {});
    throw error;
  }
  return change.current;
}

/** A value in the zone's metadata under the token. The kind's name says whose it is. */
class Note {
  readonly #api: PowerdnsApi;
  readonly #path: string;
  readonly #kind: string;

  constructor(api: PowerdnsApi, zone: string, token: Token) {
    this.#api = api;
    this.#kind = `X-TUTTI-${token.slice("tok_".length, "tok_".length + KIND_HEX)}`;
    this.#path = `/zones/${zoneId(zone)}/metadata`;
  }

  /** What was kept under the token, undefined when nothing was. */
  async read(): Promise<{ readonly before: Json } | undefined> {
    const request = { method: "GET", path: `${this.#path}/${this.#kind}`, allow: [404] } as const;
    const answer = await this.#api.send(request);
    if (answer.status === 404) return undefined;
    const [text] = this.#api.read(request, answer, Metadata).metadata;
    // Written by us in this form.
    return text === undefined ? undefined : (JSON.parse(text) as { readonly before: Json });
  }

  /** @throws ConnectorError `validation`, never-began: it is too much to be kept, and the change could not be undone. */
  async write(before: Json): Promise<void> {
    const text = JSON.stringify({ before });
    if (Buffer.byteLength(text) > NOTE_BYTES_MAX)
      throw new ConnectorError(`What is there now has more than ${NOTE_BYTES_MAX} bytes: PowerDNS can't keep it for the undo.`, {
        kind: "validation",
        outcome: "never-began",
      });
    const request = { method: "PUT", path: `${this.#path}/${this.#kind}`, body: { kind: this.#kind, metadata: [text] } } as const;
    this.#api.read(request, await this.#api.send(request), Metadata);
  }

  async remove(): Promise<void> {
    await this.#api.order({ method: "DELETE", path: `${this.#path}/${this.#kind}`, allow: [404] });
  }
}
