/**
 * What of the language is not compared with jq 1.7.1, each with its reason. The generator of programs (`generate/programs.ts`, where `isWild` is
 * off) makes none of these; everything else has to be the same.
 */
export const NOT_COMPARED: readonly { readonly form: string; readonly reason: string }[] = [
  {
    form: "words of error messages",
    reason: "everybody has their own; whether there is an error, and the value of `error(value)`, is compared",
  },
  { form: "A // B where A raises an error", reason: "ours ends A there, as with `A?`; jq raises it" },
  {
    form: "trim, ltrim, rtrim, abs, toarray, trimstr, @base32, @base32d, leaf_paths, ascii, have_decnum",
    reason: "not in this build of jq 1.7.1",
  },
  { form: "repeat", reason: "ours applies its argument again and again, as the manual says; this build evaluates it on the same input" },
  { form: "reverse of anything but lists", reason: "ours takes texts, and refuses objects" },
  { form: "isnan, isinfinite, isnormal of anything but numbers", reason: "ours refuses what jq calls false" },
  { form: "transpose and flatten with wrong arguments", reason: "ours refuses them; jq goes on with what it finds" },
  {
    form: "from_entries without keys, fromstream of what is no stream",
    reason: "ours writes the key as text and passes over what is no event; jq refuses them",
  },
  { form: "@base64d of what is no base64", reason: "how much of a broken text is decoded differs" },
  { form: "numbers whose text is not the shortest (1e3, 1e17, 0.00001)", reason: "numbers are doubles; jq keeps the text of a literal" },
  { form: "loops that begin with several values", reason: "jq 1.7.1 forgets the input of the loop with the second one" },
  { form: "indices of a list in null", reason: "ours is null, as for texts" },
  { form: "keys that look like indices of a list", reason: "they come first in every object of ours" },
  { form: "now, localtime, $__loc__, input, env, debug, modules", reason: "they reach outside the data, or depend on the moment" },
];
