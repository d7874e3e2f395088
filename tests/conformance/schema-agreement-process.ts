// node schema-agreement-process.ts SPECIFICATION MUTATIONS SEED
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { Workflow, workflowJsonSchema } from "@tutti/definition";
import type { Json } from "@tutti/model";
import { corpusTexts, exampleTexts, readYaml } from "./material.ts";
import { mutate, seededRandom } from "./mutation.ts";
import type { ConformanceResult } from "./result.ts";

type Issue = NonNullable<ReturnType<typeof Workflow.safeParse>["error"]>["issues"][number];

/**
 * Where ours and the official schema answer differently on purpose. A document counts as explained when each of our issues belongs to a
 * class; everything else is a failure. In each class ours refuses what the other accepts.
 *
 * The linter is stricter than the schema in what it reports as `unknown-top-level-key`: the schema leaves the root object open, and a
 * misspelt `doo:` would be ignored. That is another layer and not compared here.
 */
const CLASSES: readonly { readonly name: string; readonly reason: string; readonly holds: (issue: Issue) => boolean }[] = [
  {
    name: "inherited-name",
    reason:
      "a key such as `constructor` in a closed object: the validator takes names that every object inherits for evaluated ones; the schema itself forbids them",
    holds: (issue) => issue.code === "unrecognized_keys" && issue.keys.every((key) => key in {}),
  },
  {
    name: "proto-name",
    reason: "`__proto__` as the name of a task, function or other entry: such a name is never meant well, and zod does not look at it",
    holds: (issue) => issue.code === "custom" && issue.message.startsWith("`__proto__`"),
  },
  {
    name: "second-scheme",
    reason:
      "an entry of `use.authentications` with one valid scheme and a malformed second one: the schema ignores the second, the author meant something by it",
    holds: (issue) => issue.code === "custom" && issue.message.startsWith("takes one scheme only") && issue.path[1] === "authentications",
  },
];
/** More failures than this all have one cause. */
const FAILURES_SHOWN = 20;

const [specification = "", mutations = "0", seed = "1"] = process.argv.slice(2);
process.stdout.write(JSON.stringify(compare(specification, Number(mutations), Number(seed))));

function compare(folder: string, count: number, firstSeed: number): ConformanceResult {
  const official = validator(readYaml(readFileSync(join(folder, "schema/workflow.yaml"), "utf8"), "workflow.yaml"));
  const exported = validator(workflowJsonSchema());
  const documents = [...exampleTexts(folder), ...corpusTexts()].map(([name, text]) => ({ name, json: readYaml(text, name) as Json }));
  const failures: string[] = [];
  const explained = new Map<string, number>();
  let accepted = 0;
  let passed = 0;
  const judge = (name: string, document: Json): void => {
    const wanted = official(document);
    if (wanted) accepted++;
    const result = Workflow.safeParse(document);
    const classes = (result.error?.issues ?? []).map((issue) => CLASSES.find(({ holds }) => holds(issue))?.name);
    const known = wanted && !result.success && classes.every((found) => found !== undefined) ? classes[0] : undefined;
    if (known !== undefined) explained.set(known, (explained.get(known) ?? 0) + 1);
    const agrees = result.success === wanted || known !== undefined;
    const exportAgrees = exported(document) === wanted || known !== undefined;
    if (agrees && exportAgrees) passed++;
    else if (failures.length < FAILURES_SHOWN)
      failures.push(
        `${name}: official ${verdict(wanted)}, ours ${verdict(result.success)}, exported ${verdict(exported(document))}: ${JSON.stringify(document)}`,
      );
  };
  for (const { name, json } of documents) judge(name, json);
  const random = seededRandom(firstSeed);
  const pick = (): (typeof documents)[number] => documents[Math.floor(random() * documents.length)] as (typeof documents)[number];
  const corpusSize = corpusTexts().size;
  for (let index = 0; index < count; index++) {
    // Our corpus has most constructs and so gets a third of the mutations.
    const base = random() < 1 / 3 ? (documents[documents.length - 1 - Math.floor(random() * corpusSize)] ?? pick()) : pick();
    judge(`mutation ${index} of ${base.name} (seed ${firstSeed})`, mutate(base.json, pick().json, random));
  }
  const notes = [
    `${accepted} of ${documents.length + count} documents are accepted by the official schema`,
    ...CLASSES.map(({ name, reason }) => `${explained.get(name) ?? 0} × ${name}: ${reason}`),
  ];
  return { passed, total: documents.length + count, failures, notes };
}

function validator(schema: Json): (document: Json) => boolean {
  const ajv = new Ajv2020({ strict: false, validateFormats: true });
  // The package is CommonJS: its default export arrives as a member in some module systems.
  const add = (typeof addFormats === "function" ? addFormats : (addFormats as { default: unknown }).default) as (instance: Ajv2020) => void;
  add(ajv);
  const check = ajv.compile(schema as object);
  return (document) => check(document) === true;
}

function verdict(isAccepted: boolean): string {
  return isAccepted ? "accepts" : "refuses";
}
