/** Something that must never happen has happened: what the simulation looks for. */
export class Violation extends Error {
  /** Short name of the law that was broken; shrinking keeps to one. */
  readonly law: string;

  constructor(law: string, what: string) {
    super(`${law}: ${what}`);
    this.name = "Violation";
    this.law = law;
  }
}

/** @throws Violation unless `holds`. */
export function must(holds: boolean, law: string, what: () => string): asserts holds {
  if (!holds) throw new Violation(law, what());
}
