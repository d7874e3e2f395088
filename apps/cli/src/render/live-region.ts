/** Redraws no more often than this: quicker changes are no use to eyes. */
const FRAME_MS = 80;
/** Durations go on while nothing else happens. */
const TICK_MS = 500;
const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
/** Terminals that know it show the frame in one go; the others ignore it. */
const BEGIN_FRAME = "\u001b[?2026h";
const END_FRAME = "\u001b[?2026l";
const CLEAR_TO_LINE_END = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

/**
 * The part of a terminal that is drawn again and again in place. Lines are overwritten, never cleared first, so nothing flickers; the last frame
 * stays when it ends.
 */
export class LiveRegion {
  readonly #write: (text: string) => void;
  readonly #render: () => readonly string[];
  #linesDrawn = 0;
  #frame: NodeJS.Timeout | undefined;
  #tick: NodeJS.Timeout | undefined;
  readonly #onExit = (): void => this.#write(SHOW_CURSOR);

  /** `render` returns the lines as they are now, none wider than the terminal. */
  constructor(write: (text: string) => void, render: () => readonly string[]) {
    this.#write = write;
    this.#render = render;
  }

  start(): void {
    this.#write(HIDE_CURSOR);
    process.on("exit", this.#onExit);
    this.#draw();
    this.#tick = setInterval(() => this.changed(), TICK_MS);
  }

  /** Something changed: drawn with the next frame. */
  changed(): void {
    this.#frame ??= setTimeout(() => {
      this.#frame = undefined;
      this.#draw();
    }, FRAME_MS);
  }

  /** Draws the last frame and leaves it there. */
  stop(): void {
    clearInterval(this.#tick);
    clearTimeout(this.#frame);
    this.#draw();
    process.off("exit", this.#onExit);
    this.#write(SHOW_CURSOR);
  }

  #draw(): void {
    const lines = this.#render();
    const up = this.#linesDrawn > 0 ? `\u001b[${this.#linesDrawn}A\r` : "";
    this.#write(`${BEGIN_FRAME}${up}${lines.map((line) => `${line}${CLEAR_TO_LINE_END}\n`).join("")}${CLEAR_BELOW}${END_FRAME}`);
    this.#linesDrawn = lines.length;
  }
}
