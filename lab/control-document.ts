/**
 * The deployment's document with one lie in it, and only as far as the ticket: `openTicket` is called idempotent though each request opens
 * another ticket. What finds doubled effects must find this one.
 */
export function controlDocument(text: string): string {
  const upToTicket = cut(text, /\n {2}- deploy:\n[\s\S]*$/, "\n");
  const renamed = cut(upToTicket, /\n {2}name: deploy-server\n/, "\n  name: deploy-server-control\n");
  return withTicketEffect(renamed, "idempotent");
}

/** The document with another effect class, and no look-up, for the opening of the ticket. Works on the text: all else is the very document. */
export function withTicketEffect(text: string, effectClass: "idempotent" | "unsafe"): string {
  return cut(text, /effect:\n +class: findable\n[\s\S]*?(?=\n +export:)/, `effect: { class: ${effectClass} }`);
}

function cut(text: string, pattern: RegExp, replacement: string): string {
  const changed = text.replace(pattern, replacement);
  if (changed === text) throw new Error(`the document no longer has ${String(pattern)}; change this with it`);
  return changed;
}
