import { z } from "@tutti/connector-kit";
import { isDeepStrictEqual } from "node:util";
import type { Json } from "@tutti/model";

/** The account of the comment that holds the token of the call which wrote a record set. */
const TUTTI = "tutti";

export const RrsetAnswer = z.object({
  name: z.string(),
  type: z.string(),
  ttl: z.number().default(0),
  records: z.array(z.object({ content: z.string(), disabled: z.boolean().default(false) })).default([]),
  comments: z.array(z.object({ content: z.string(), account: z.string().default(""), modified_at: z.number().optional() })).default([]),
});
export type RrsetAnswer = z.infer<typeof RrsetAnswer>;

export const DnsRecord = z.strictObject({ content: z.string(), disabled: z.boolean() });
export const Comment = z.strictObject({ content: z.string(), account: z.string(), modifiedAt: z.number().optional() });

/** All that there is under one name and type. */
export const RecordSet = z.strictObject({
  ttl: z.number().int().min(0).max(2_147_483_647),
  records: z.array(DnsRecord),
  /** Of others; with when they were written, so that they come back as they were. */
  comments: z.array(Comment),
  /** Of the call of ours that wrote it, null when it was somebody else. */
  token: z.string().nullable(),
});
export type RecordSet = z.infer<typeof RecordSet>;

export function isSameType(rrset: RrsetAnswer, name: string, type: string): boolean {
  return rrset.name.toLowerCase() === name && rrset.type === type;
}

/** What PowerDNS says, in one order whatever order it is said in. */
export function recordSetOf(rrset: RrsetAnswer): RecordSet {
  const ours = rrset.comments.filter(({ account }) => account === TUTTI);
  const comments = rrset.comments.filter(({ account }) => account !== TUTTI);
  return {
    ttl: rrset.ttl,
    records: rrset.records.map(({ content, disabled }) => ({ content, disabled })).toSorted(byContent),
    comments: comments
      .map(({ content, account, modified_at: at }) => ({ content, account, ...(at === undefined ? {} : { modifiedAt: at }) }))
      .toSorted(byContent),
    token: ours[0]?.content ?? null,
  };
}

/** What makes PowerDNS have the record set so; null deletes it. */
export function patchOf(name: string, type: string, wanted: RecordSet | null): Json {
  if (wanted === null) return { rrsets: [{ name, type, changetype: "DELETE" }] };
  const comments = wanted.comments.map(({ content, account, modifiedAt }) => ({
    content,
    account,
    ...(modifiedAt === undefined ? {} : { modified_at: modifiedAt }),
  }));
  const ours = wanted.token === null ? [] : [{ content: wanted.token, account: TUTTI }];
  return { rrsets: [{ name, type, ttl: wanted.ttl, changetype: "REPLACE", records: wanted.records, comments: [...comments, ...ours] }] };
}

/** Whether both say the same; when a comment was written is no difference. */
export function isSameSet(one: RecordSet | null, other: RecordSet | null): boolean {
  return isDeepStrictEqual(one === null ? null : shownSet(one), other === null ? null : shownSet(other));
}

/** What a person would compare. */
export function shownSet({ ttl, records, comments, token }: RecordSet): RecordSet {
  return {
    ttl,
    records: records.toSorted(byContent),
    comments: comments.map(({ content, account }) => ({ content, account })).toSorted(byContent),
    token,
  };
}

function byContent(a: { readonly content: string }, b: { readonly content: string }): number {
  return a.content < b.content ? -1 : a.content > b.content ? 1 : 0;
}
