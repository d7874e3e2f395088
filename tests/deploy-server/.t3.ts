import { compileWorkflow, parseDocument } from "@tutti/definition";
import { readFileSync } from "node:fs";
import { impatientDocument } from "./fake-deployment.ts";
const p: any = compileWorkflow(parseDocument(impatientDocument()).json as never);
const n = p.nodes.find((x: any) => x.name === "checkNames");
console.log(JSON.stringify(n.arguments, (k, v) => (k === "program" ? "P" : v), 1).slice(0, 1800));
