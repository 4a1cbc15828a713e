import { pagesOf } from './page-run.js';
import { fieldsOf, textOf } from './proto.js';

/** The fields of a message to a browser that are of interest (streamlit/proto/ForwardMsg.proto). */
const FIELD = { newSession: 4, finished: 6, navigation: 23 } as const;
const WANTED: ReadonlySet<number> = new Set(Object.values(FIELD));

/** The status of a run that was given up for another one. */
const GIVEN_UP = 2;

/** The longest name of a page, in characters. */
const MAX_NAME = 80;

/** The most pages of an app that are read: it may claim to have thousands, in each message. */
const MAX_PAGES = 200;

export interface RunListener {
  /** A visitor has come to a page. @param page its path below the app, such as `/` or `/Sales` */
  viewed(page: string): void;
  /** A run of the script has ended. @param page undefined where it is not known @param ms how long it took */
  ran(page: string | undefined, ms: number): void;
}

/**
 * Whether a message to a browser says something about runs and pages, by its beginning. Nearly all others are parts of a page.
 * @returns undefined where that cannot be told yet
 */
export function isAboutRun(beginning: Buffer): boolean | undefined {
  for (let at = 0; at < beginning.length;) {
    const tag = varintAt(beginning, at);
    if (tag === undefined) return undefined;
    const number = Math.floor(tag.value / 8);
    // A hash and facts about the message come first.
    if (number > 2 || tag.value % 8 !== 2) return WANTED.has(number);
    const length = varintAt(beginning, tag.end);
    if (length === undefined) return undefined;
    at = length.end + length.value;
  }
  return undefined;
}

function varintAt(bytes: Buffer, from: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let place = 0; place < 5; place += 1) {
    const byte = bytes[from + place];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * place);
    if (byte < 0x80) return { value, end: from + place + 1 };
  }
  return { value, end: from + 5 };
}

/** Follows what one open page of an app shows: which of the app's pages, and how long its runs take. */
export class RunWatch {
  readonly #listener: RunListener;
  readonly #clock: () => number;
  /** When the run that is under way began. */
  #begun: number | undefined;
  /** The page that is shown, and the one that was counted last. */
  #page: string | undefined;
  #counted: string | undefined;

  /** @param clock in ms, never put back */
  constructor(listener: RunListener, clock: () => number) {
    this.#listener = listener;
    this.#clock = clock;
  }

  /** Takes a message that is about a run. */
  hear(message: Buffer): void {
    for (const { number, bytes, value } of fieldsOf(message)) {
      if (number === FIELD.newSession) {
        this.#count();
        this.#begun = this.#clock();
        // Before 1.36; since then, this is only what the browser has asked for.
        this.#turnTo(bytes, 8, 9);
      } else if (number === FIELD.navigation) this.#turnTo(bytes, 2, 4);
      else if (number === FIELD.finished) this.#finished(value);
    }
  }

  /** The page was closed. */
  end(): void {
    this.#count();
  }

  #finished(status: number): void {
    const begun = this.#begun;
    this.#begun = undefined;
    if (status === GIVEN_UP) return;
    this.#count();
    if (begun !== undefined) this.#listener.ran(this.#page, Math.max(0, this.#clock() - begun));
  }

  /** Counts the page once it is settled: what the beginning of a run says may be put right by the navigation. */
  #count(): void {
    if (this.#page === undefined || this.#page === this.#counted) return;
    this.#counted = this.#page;
    this.#listener.viewed(this.#page);
  }

  /** @param list the field with the pages @param current the field with the hash of the one that is shown */
  #turnTo(message: Buffer, list: number, current: number): void {
    const pages = pagesOf(message, list, MAX_PAGES);
    const hash = textOf(message, current);
    const page = pages.find((one) => one.hash === hash) ?? (pages.length === 1 ? pages[0] : undefined);
    if (page === undefined) return;
    // The first one is at the app's own address, whatever its name. Before 1.30, none is marked.
    const first = pages.find((one) => one.first) ?? pages[0];
    this.#page = page === first ? '/' : `/${cleanName(page.path || page.name)}`;
  }
}

/** Returns a name for a table and a label, without invisible characters: an app may choose any. */
function cleanName(name: string): string {
  return [...name.replace(/[\p{C}\p{Z}]+/gu, '_')].slice(0, MAX_NAME).join('');
}
