import { existsSync } from "node:fs";

/** How a program in some language is started: `command ...options FILE ...arguments`. */
export interface Interpreter {
  readonly command: string;
  readonly options: readonly string[];
  /** The file name that the interpreter wants to see. */
  readonly fileName: string;
}

/** The languages of `run.script`, as authors may spell them. */
export const SCRIPT_LANGUAGES = ["bash", "javascript", "js", "python", "python3", "sh"] as const;
export type ScriptLanguage = (typeof SCRIPT_LANGUAGES)[number];

export function isScriptLanguage(text: string): text is ScriptLanguage {
  return (SCRIPT_LANGUAGES as readonly string[]).includes(text);
}

export function interpreterOf(language: ScriptLanguage): Interpreter {
  switch (language) {
    case "bash":
      return { command: "bash", options: [], fileName: "script.bash" };
    case "sh":
      return { command: "/bin/sh", options: [], fileName: "script.sh" };
    case "python":
    case "python3":
      return { command: "python3", options: [], fileName: "script.py" };
    case "js":
    case "javascript":
      // The Node that runs Tutti, without its flags: a script may do what any program may. A file without package.json type is run as the
      // module system it is written in; Node would warn that it had to find that out.
      return { command: process.execPath, options: ["--disable-warning=MODULE_TYPELESS_PACKAGE_JSON"], fileName: "script.js" };
  }
}

/** What `run.shell` runs its command with: bash where there is one, since that is what authors write for. */
export function findShell(): Interpreter {
  const bash = ["/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash"].find((path) => existsSync(path));
  return { command: bash ?? "/bin/sh", options: [], fileName: "command.sh" };
}
