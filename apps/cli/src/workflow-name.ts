import { AppError } from "@tutti/model";

/** A published workflow as people name it; `latest` is the highest version. */
export interface WorkflowName {
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
}

/** `namespace/name`, `namespace/name:version`, or `name` in the namespace `default`. */
export function parseName(text: string): WorkflowName {
  const match = /^(?:([a-z0-9-]+)\/)?([a-z0-9-]+)(?::([0-9A-Za-z.+-]+))?$/.exec(text);
  if (match === null) {
    throw new AppError("usage", `\`${text}\` is neither a file nor the name of a workflow.`, {
      hint: "Give a file, or NAMESPACE/NAME[:VERSION]; `tutti workflow list` shows the names.",
    });
  }
  return { namespace: match[1] ?? "default", name: match[2] ?? "", version: match[3] ?? "latest" };
}
