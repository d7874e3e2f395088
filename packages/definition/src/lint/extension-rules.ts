import { declaredExtensions } from "../extensions.ts";
import type { LintContext } from "./context.ts";

/** Extensions: their names, and what they put around tasks. */
export function checkExtensions(context: LintContext): void {
  const seen = new Set<string>();
  for (const { name, pointer, extension } of declaredExtensions(context.use)) {
    if (seen.has(name))
      context.error("duplicate-extension", {
        pointer,
        place: "key",
        message: `There is another extension \`${name}\`.`,
        hint: "Names are how the tasks of an extension are found again after a restart, so each must be unique.",
      });
    seen.add(name);
    if (!Object.hasOwn(extension, "before") && !Object.hasOwn(extension, "after"))
      context.warning("empty-extension", {
        pointer,
        place: "key",
        message: `The extension \`${name}\` has neither \`before\` nor \`after\`.`,
      });
  }
}
