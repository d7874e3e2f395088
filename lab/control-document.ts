/**
 * The deployment's document with one lie in it, and only as far as the ticket: `openTicket` is called idempotent though each request opens
 * another ticket. What finds doubled effects must find this one.
 *
 * Works on the text, so that everything else is the very document.
 */
export function controlDocument(text: string): string {
  const upToTicket = cut(text, /\n {2}- deploy:\n[\s\S]*$/, "\n");
  const renamed = cut(upToTicket, /\n {2}name: deploy-server\n/, "\n  name: deploy-server-control\n");
  return cut(renamed, /effect:\n +class: findable\n[\s\S]*?(?=\n +export:)/, "effect: { class: idempotent }");
}

function cut(text: string, pattern: RegExp, replacement: string): string {
  const changed = text.replace(pattern, replacement);
  if (changed === text) throw new Error(`the document no longer has ${String(pattern)}; change this control with it`);
  return changed;
}
