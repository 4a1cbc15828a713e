import { beforeEach, describe, expect, it } from 'vitest';
import { field } from '../../../../src/domain/streamlit/proto.js';
import { isAboutRun, RunWatch } from '../../../../src/domain/streamlit/run-watch.js';

let now: number;
let told: unknown[];
let watch: RunWatch;
beforeEach(() => {
  now = 1_000;
  told = [];
  watch = new RunWatch(
    { viewed: (page) => void told.push(page), ran: (page, ms) => void told.push([page, ms]) },
    () => now,
  );
});

const MAIN = [Buffer.from([0x20, 1])]; // is_default

/** A page: its hash, its name, and what else is said of it. */
const page = (hash: string, name: string, more: Buffer[] = [], path = name): Buffer =>
  Buffer.concat([field(1, hash), field(2, name), ...more, field(6, path)]);

const begun = (pages: Buffer[] = [], current = ''): Buffer =>
  field(4, Buffer.concat([field(2, 'run'), ...pages.map((one) => field(8, one)), field(9, current)]));
const navigated = (pages: Buffer[], current: string): Buffer =>
  field(23, Buffer.concat([...pages.map((one) => field(2, one)), field(4, current)]));
const finished = (status = 0): Buffer => Buffer.from([0x30, status]);
const PAGES = [page('h1', 'Home', MAIN, ''), page('h2', 'All Sales', [], 'sales')];

function run(...messages: Buffer[]): unknown[] {
  told = [];
  for (const message of messages) watch.hear(message);
  return told;
}

describe('hear', () => {
  it('counts a page when a visitor comes to it, and each run with its time', () => {
    watch.hear(begun());
    watch.hear(navigated(PAGES, 'h1'));
    now += 250;
    expect(run(finished())).toEqual(['/', ['/', 250]]);
    // A widget was used.
    expect(run(begun(), navigated(PAGES, 'h1'), finished())).toEqual([['/', 0]]);
    expect(run(begun(PAGES, 'h1'), navigated(PAGES, 'h2'), finished())).toEqual(['/sales', ['/sales', 0]]);
    expect(run(begun(), navigated(PAGES, 'h1'), finished())).toEqual(['/', ['/', 0]]);
  });

  it('reads the pages of versions before 1.36 from the beginning of a run', () => {
    const pages = ['h1', 'h2'].map((hash) => Buffer.concat([field(1, hash), field(2, `page_${hash}`)]));
    expect(run(begun(pages, 'h1'), finished())).toEqual(['/', ['/', 0]]);
    expect(run(begun(pages, 'h2'), finished())).toEqual(['/page_h2', ['/page_h2', 0]]);
  });

  it('counts parts of a page that run alone, and no run that was given up for another one', () => {
    run(begun(), navigated(PAGES, 'h1'), finished());
    now += 5;
    watch.hear(begun());
    now += 1_000;
    expect(run(finished(2))).toEqual([]);
    watch.hear(begun());
    now += 30;
    expect(run(finished(3))).toEqual([['/', 30]]);
    // An end without a beginning says nothing about time.
    expect(run(finished())).toEqual([]);
  });

  it('counts a page whose run never ends once it is left', () => {
    expect(run(begun(), navigated(PAGES, 'h2'))).toEqual([]);
    expect(run(begun(PAGES, 'h1'))).toEqual(['/sales']);
    watch.end();
    expect(told).toEqual(['/sales', '/']);
    watch.end();
    expect(told).toEqual(['/sales', '/']);
  });

  it('shortens names, and lets none hide anything in a label', () => {
    const names = [`a${'b'.repeat(100)}`, 'new\nline \u202Eback', 'Página'];
    for (const name of names) run(begun(), navigated([PAGES[0] ?? MAIN[0]!, page('h', name)], 'h'), finished());
    const paths = names.map(
      (name) => run(begun(), navigated([PAGES[0] ?? MAIN[0]!, page('h', name)], 'h'), finished())[0],
    );
    expect(paths).toEqual([`/a${'b'.repeat(79)}`, '/new_line_back', '/Página']);
  });

  it('reads no more than two hundred pages of a message', () => {
    const many = Array.from({ length: 300 }, (_, place) => page(`h${place}`, `page-${place}`, place === 0 ? MAIN : []));
    expect(run(begun(), navigated(many, 'h199'), finished())[0]).toBe('/page-199');
    expect(run(begun(), navigated(many, 'h200'), finished())).toEqual([['/page-199', 0]]);
  });

  it('knows no page before it was told of one, and runs all the same', () => {
    expect(run(begun(), finished())).toEqual([[undefined, 0]]);
    expect(run(navigated(PAGES, 'another'), finished())).toEqual([]);
  });
});

describe('isAboutRun', () => {
  const facts = field(2, field(4, 'x'.repeat(200)));
  it('tells from the beginning of a message whether it is', () => {
    for (const message of [begun(), navigated(PAGES, 'h1'), finished()])
      expect(isAboutRun(Buffer.concat([field(1, 'hash'), facts, message]))).toBe(true);
    expect(isAboutRun(Buffer.concat([field(1, 'hash'), facts, field(5, 'a part of the page')]))).toBe(false);
  });

  it('cannot tell before its kind has arrived', () => {
    const message = Buffer.concat([field(1, 'hash'), facts, begun()]);
    const kind = message.length - begun().length;
    for (let length = 0; length <= kind; length += 1) expect(isAboutRun(message.subarray(0, length))).toBeUndefined();
    expect(isAboutRun(message.subarray(0, kind + 1))).toBe(true);
  });
});
