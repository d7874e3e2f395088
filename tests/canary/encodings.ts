/** How systems write a text when they tell it on: written here by other means than the redactor's, which is what they are to prove. */
export const ENCODINGS: Readonly<Record<string, (text: string) => string>> = {
  raw: (text) => text,
  base64: (text) => Buffer.from(text).toString("base64"),
  "base64 behind one character": (text) => Buffer.from(`u${text}:x`).toString("base64"),
  "base64 behind two characters": (text) => Buffer.from(`us${text}:xy`).toString("base64"),
  base64url: (text) => Buffer.from(`id:${text}`).toString("base64url"),
  "base64 in lines": (text) =>
    (
      Buffer.from(`user:${text}`)
        .toString("base64")
        .match(/.{1,64}/g) ?? []
    ).join("\n"),
  hex: (text) => Buffer.from(text).toString("hex"),
  "upper case hex": (text) => Buffer.from(text).toString("hex").toUpperCase(),
  URL: (text) => encodeURIComponent(text),
  "URL, all that may be": (text) =>
    [...Buffer.from(text)]
      .map((byte) => (/\w/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, "0")}`))
      .join(""),
  form: (text) => new URLSearchParams({ a: text }).toString().slice(2),
  JSON: (text) => JSON.stringify(text).slice(1, -1),
  "JSON in ASCII": (text) =>
    JSON.stringify(text)
      .slice(1, -1)
      .replaceAll(/[^\x20-\x7e]|[<>&'+]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`),
  "JSON in JSON": (text) => JSON.stringify(JSON.stringify(text)).slice(3, -3),
  "shell, quoted": (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`,
  "shell, by backslashes": (text) => text.replaceAll(/[^\w\n]/gu, String.raw`\$&`),
  HTML: (text) =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;").replaceAll("'", "&#39;"),
  "XML by numbers": (text) => text.replaceAll(/[<&>"']/g, (sign) => `&#x${sign.charCodeAt(0).toString(16)};`),
  CSV: (text) => `"${text.replaceAll('"', '""')}"`,
};
