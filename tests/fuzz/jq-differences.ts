/**
 * What of the language is not compared with jq 1.7.1, each with its reason. The generator of programs (`generate/programs.ts`, where `isWild` is
 * off) makes none of these; everything else has to be the same.
 */
export const NOT_COMPARED: readonly { readonly form: string; readonly reason: string }[] = [
  {
    form: "words of error messages",
    reason: "everybody has their own; whether there is an error, and the value of `error(value)`, is compared",
  },
  {
    form: "trim, ltrim, rtrim, abs, toarray, trimstr, @base32, @base32d, leaf_paths, ascii, have_decnum",
    reason: "not in this build of jq 1.7.1",
  },
  { form: "transpose and flatten with wrong arguments", reason: "ours refuses them; jq goes on with what it finds" },
  {
    form: "flatten(depth) and nth(index; f) of numbers with parts",
    reason: "ours rounds the depth up and the index down; jq 1.7.1 flattens all, as its depth passes 0 by, and rounds the index up",
  },
  {
    form: "from_entries without keys, fromstream of what is no stream",
    reason: "ours writes the key as text and passes over what is no event; jq refuses them",
  },
  { form: "@base64d of what is no base64", reason: "how much of a broken text is decoded differs" },
  { form: "numbers whose text is not the shortest (1e3, 1e17, 0.00001)", reason: "numbers are doubles; jq keeps the text of a literal" },
  { form: "loops that begin with several values", reason: "jq 1.7.1 forgets the input of the loop with the second one" },
  { form: "patterns that match nothing, in texts beyond ASCII", reason: "jq 1.7.1 goes on by bytes" },
  {
    form: "captures that are empty or took no part",
    reason: "ours have the members of every capture in the same order; jq 1.7.1 has `length` last",
  },
  {
    form: "index, rindex and indices in texts beyond ASCII",
    reason: "jq 1.7.1 counts bytes, ours counts characters, as jq does from 1.8 on",
  },
  {
    form: "sort, sort_by, group_by, unique and unique_by where nan is in several keys",
    reason: "nan is less than itself in jq: what comes first is up to the C library's sorting",
  },
  { form: "exp10", reason: "the last bit is the C library's" },
  {
    form: "dates of nan and of parts of a second before 1970",
    reason: "jq 1.7.1 takes such a part for one of the second after, and nan for a time",
  },
  {
    form: "times outside the years 1000 to 9999",
    reason:
      "ours writes such a year as it is, and refuses a time beyond ±271,821 years; this build's C library pads or signs the year, and has the 0th of January 1900 for such a time",
  },
  {
    form: "strptime of seconds since 1970 (%s)",
    reason: "ours reads them as jq with glibc does; this build's C library has no such format",
  },
  { form: "strftime and strptime with computed formats", reason: "what an empty or a wrong format gives is the C library's" },
  {
    form: "texts with U+0000 or half a surrogate pair",
    reason: "jq 1.7.1 writes the first as `\\0` where it escapes, and replaces the second",
  },
  { form: "keys that look like indices of a list", reason: "they come first in every object of ours" },
  { form: "now, localtime, $__loc__, input, env, debug, modules", reason: "they reach outside the data, or depend on the moment" },
];
