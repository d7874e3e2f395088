import type { Json } from "@tutti/model";
import type { Step } from "../suite-runner/case-format.ts";
import { type ExampleRow, readTable } from "./table.ts";

/** Longer data are cut in the page; all of it is in the table. */
const DATA_LENGTH_MAX = 160;

/** `docs/reference/examples.md`. */
export function examplesPage(): string {
  const rows = readTable().map(({ row }) => row);
  return [
    "# The specification's examples",
    "",
    "Generated from `tests/conformance/examples/table.yaml` by `npm run generate`; change it there.",
    "",
    "How each example of the Open Workflow Specification runs here. `npm run conformance -- examples` plays every row on both stores, undisturbed",
    "and with the process dying at every step, and compares the outcome, every call and every event with the table. Nothing leaves the machine:",
    "what an example calls is a stand-in. Time is virtual.",
    "",
    "| example | input | stand-ins | what happens | outcome |",
    "| --- | --- | --- | --- | --- |",
    ...rows.map((row) => `| ${[nameOf(row), inputOf(row), standInsOf(row), eventsOf(row), outcomeOf(row)].join(" | ")} |`),
    "",
  ].join("\n");
}

function nameOf({ example, when }: ExampleRow): string {
  return `${example.replace(/\.yaml$/, "")}${when === undefined ? "" : `: ${when}`}`;
}

function inputOf({ input, secrets }: ExampleRow): string {
  return lines([...(input === undefined ? [] : [data(input)]), ...Object.keys(secrets ?? {}).map((name) => `secret \`${name}\``)]);
}

function standInsOf(row: ExampleRow): string {
  const http = Object.entries(row.http ?? {}).map(([request, answers]) => {
    const statuses = answers.map((answer) => ("status" in answer ? String(answer.status) : "lost" in answer ? "lost" : "unreachable"));
    return `\`${cell(request)}\`: ${statuses.join(", ")}`;
  });
  return lines([
    ...http,
    ...Object.keys(row.outside ?? {}).map((url) => `text at \`${cell(url)}\``),
    ...(row.messages === undefined ? [] : [`WebSocket server with ${count(row.messages.length, "message")}`]),
    ...Object.keys(row.engine?.images ?? {}).map((image) => `container engine with \`${image}\``),
    ...Object.keys(row.files ?? {}).map((name) => `file \`${name}\``),
    ...(row.grpc === undefined ? [] : [`gRPC server with \`${row.grpc.path}\``]),
    ...(row.tools === undefined ? [] : [`MCP server as program \`${row.tools.program}\``]),
    ...Object.keys(row.others ?? {}).map((name) => `workflow \`${name}\``),
  ]);
}

function eventsOf({ schedule, steps = [], stopAfter }: ExampleRow): string {
  return lines([
    ...(schedule === true ? ["its schedule is enabled"] : []),
    ...steps.map(stepOf),
    ...(stopAfter === undefined ? [] : [`${stopAfter / 3_600_000} hours pass`]),
  ]);
}

function stepOf({ send, operator, start }: Step): string {
  // An event's type is a text.
  if (send !== undefined) return `event \`${cell(send["type"] as string)}\` with ${data((send["data"] ?? null) as Json)}`;
  if (start !== undefined) return `start of \`${start.workflow ?? "main"}\``;
  return `operator: ${data((operator ?? null) as Json)}`;
}

function outcomeOf({ output, error, expect = {}, engine, remark }: ExampleRow): string {
  const { startRefused, calls, callsInAnyOrder, emitted, lasts, status, outputHas } = expect;
  const fault = error ?? expect.error;
  const value = output === undefined ? expect.output : output;
  const what =
    startRefused !== undefined
      ? `refused at the start: \`${startRefused}\``
      : fault !== undefined
        ? `**faulted**: ${data(fault as Json)}`
        : `**${status ?? "completed"}**${value === undefined ? "" : `: ${data(value)}`}${outputHas === undefined ? "" : `: has ${data(outputHas)}`}`;
  const requests = (calls ?? callsInAnyOrder)?.length;
  return lines([
    what,
    ...(requests === undefined ? [] : [count(requests, "request")]),
    ...(emitted === undefined ? [] : [count(emitted.length, "event")]),
    ...(engine === undefined ? [] : [count(engine.made, "container")]),
    ...(typeof lasts === "number" ? [`after ${lasts / 1000} s`] : []),
    ...(remark === undefined ? [] : [cell(remark)]),
  ]);
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

function data(value: Json): string {
  const text = JSON.stringify(value);
  return `\`${cell(text.length > DATA_LENGTH_MAX ? `${text.slice(0, DATA_LENGTH_MAX)}…` : text)}\``;
}

function lines(all: readonly string[]): string {
  return all.length === 0 ? "–" : all.join("<br>");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}
