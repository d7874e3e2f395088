import type { TaskList, TaskNode, WorkflowProgram } from "@tutti/definition";
import type { Arrival } from "./story.ts";

/** Where a task stands in the document. */
export interface Standing {
  /** Index of the node around it; -1 is the run. */
  readonly parent: number;
  readonly role: Arrival["role"];
  readonly position: number;
  /** Of the extension whose list it stands in. */
  readonly extension: string | undefined;
}

/** For each node of the program: in which list of which task it stands. */
export function outlineOf(program: WorkflowProgram): readonly (Standing | undefined)[] {
  const standings: (Standing | undefined)[] = program.nodes.map(() => undefined);
  const put = (list: TaskList | undefined, parent: number, role: Standing["role"], extension?: string): void => {
    list?.forEach((node, position) => {
      standings[node] = { parent, role, position, extension };
    });
  };
  put(program.root, -1, "body");
  for (const node of program.nodes) {
    for (const extension of node.extensions) {
      put(extension.before, node.index, "before", extension.name);
      put(extension.after, node.index, "after", extension.name);
    }
    put(node.compensation?.list, node.index, "undo");
    putInner(node, put);
  }
  return standings;
}

function putInner(node: TaskNode, put: (list: TaskList | undefined, parent: number, role: Standing["role"]) => void): void {
  const { index } = node;
  switch (node.kind) {
    case "do":
    case "function":
      return put(node.body, index, "body");
    case "try":
      put(node.body, index, "body");
      return put(node.catch.body, index, "catch");
    case "for":
      return put(node.body, index, "iteration");
    case "listen":
      return put(node.foreach?.body, index, "iteration");
    case "fork":
      return put(node.branches, index, "branch");
    case "call":
      return put(node.effect?.find, index, "find");
    default:
  }
}
