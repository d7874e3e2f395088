import { registerHooks } from "node:module";

// The control of the canary test: a process that loads this first has a redactor that masks nothing. There is no switch for it in the product.
const MASKING = "maskText(text: string): string {";

registerHooks({
  load: (url, context, next) => {
    const loaded = next(url, context);
    if (!url.endsWith("/packages/runtime/src/redactor.ts")) return loaded;
    // Of modules on the disk the source comes as bytes, or as text.
    const source = typeof loaded.source === "string" ? loaded.source : Buffer.from(loaded.source as Uint8Array).toString("utf8");
    if (!source.includes(MASKING)) throw new Error("the redactor does not look as the control knows it");
    return { ...loaded, source: source.replace(MASKING, `${MASKING}\n    if (text !== "") return text;`) };
  },
});
