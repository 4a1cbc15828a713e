// The log viewer: follows, searches, wraps. It drops the oldest lines when there are too many.
import { whileSeen } from './page.js';
import { locale, word } from './words.js';
import { Stream } from './stream.js';

const MOST_LINES = 10_000;
const TIME = /^\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?/;
const STEP = /^\s*(?:\d+\.\ds)?\s*/;
const viewers = new Map();
/** The original text of lines that were made easier to read. */
const texts = new WeakMap();
// Always eight characters, so that lines are aligned.
const clock = new Intl.DateTimeFormat(locale, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});
const day = new Intl.DateTimeFormat(locale, { dateStyle: 'medium' });

/** Makes every log below the root live. */
export function logs(root) {
  for (const section of root.querySelectorAll('[data-log]')) {
    if (!viewers.has(section)) viewers.set(section, new Viewer(section));
  }
}
document.addEventListener('live:leaving', (event) => {
  for (const [section, viewer] of viewers) {
    if (!event.target.contains(section)) continue;
    viewer.close();
    viewers.delete(section);
  }
});

class Viewer {
  #list;
  #section;
  #source;
  #waiting = [];
  #following = true;
  #pinned = true;
  #planned = false;
  #begun = false;
  #ended = false;
  #stale = false;
  #query = '';
  #count;
  #timer;
  /** A progress bar as it is now, and the line that shows it. */
  #bar;
  #drawn;

  constructor(section) {
    this.#section = section;
    this.#list = section.querySelector('[data-log-lines]');
    this.#count = section.querySelector('[data-log-count]');
    for (const line of this.#list.children) if (!line.classList.contains('none')) decorate(line);
    this.#controls();
    this.#list.scrollTop = this.#list.scrollHeight;
    if (section.dataset.follow !== undefined)
      whileSeen(
        () => this.#restart(),
        () => this.close(),
      );
  }

  close() {
    clearTimeout(this.#timer);
    this.#source?.close();
  }

  #follow() {
    this.#source = new Stream(this.#section.dataset.follow);
    this.#source.addEventListener('message', (event) => this.#take(event.data));
    this.#source.addEventListener('redraw', (event) => this.#redraw(event.data));
    this.#source.addEventListener('end', () => {
      this.#ended = true;
      this.close();
      if (this.#following) this.#section.querySelector('[data-log-follow]').hidden = true;
    });
    this.#source.addEventListener('error', ({ closed }) => {
      // It reconnects by itself, but gives up if the answer is not a stream.
      if (closed) this.#timer = setTimeout(() => this.#restart(), 3_000);
    });
  }

  #restart() {
    if (this.#ended || !this.#section.isConnected) return;
    this.#begun = false;
    this.#follow();
  }

  #take(text) {
    this.#begin();
    this.#bar = undefined;
    this.#waiting.push(text);
    if (this.#waiting.length > MOST_LINES) this.#waiting.splice(0, this.#waiting.length - MOST_LINES);
    this.#plan();
  }

  /** Shows a progress bar whose line is not complete yet. */
  #redraw(text) {
    this.#begin();
    this.#bar = text;
    this.#plan();
  }

  /** Takes the place of what the page shows: the stream starts with the same lines. */
  #begin() {
    if (this.#begun) return;
    this.#begun = true;
    this.#waiting = [];
    this.#stale = true;
  }

  #plan() {
    if (this.#planned) return;
    this.#planned = true;
    // A hidden page gets no animation frames; a timer limits its memory anyway.
    if (document.visibilityState === 'visible') requestAnimationFrame(() => this.#flush());
    else setTimeout(() => this.#flush(), 500);
  }

  #flush() {
    this.#planned = false;
    if (!this.#following) return this.#tell();
    const fresh = this.#waiting.map((text) => this.#line(text));
    this.#waiting = [];
    this.#drawn?.remove();
    this.#drawn = this.#bar === undefined ? undefined : this.#line(this.#bar);
    if (this.#drawn !== undefined) fresh.push(this.#drawn);
    if (this.#stale) {
      this.#stale = false;
      this.#list.replaceChildren();
    }
    this.#list.querySelector('.none')?.remove();
    this.#list.append(...fresh);
    while (this.#list.childElementCount > MOST_LINES) this.#list.firstElementChild.remove();
    if (this.#pinned) this.#list.scrollTop = this.#list.scrollHeight;
    this.#tell();
  }

  #line(text) {
    const line = document.createElement('span');
    line.className = 'line';
    line.textContent = `${text}\n`;
    decorate(line);
    if (this.#query !== '') this.#match(line);
    return line;
  }

  #tell() {
    if (!this.#following && this.#waiting.length > 0) {
      this.#count.textContent = word('pausedNew', { count: this.#waiting.length });
    } else if (this.#query !== '') {
      const all = this.#list.childElementCount;
      this.#count.textContent = word('linesFound', {
        found: all - this.#list.querySelectorAll('.out').length,
        all,
      });
    } else {
      this.#count.textContent = this.#following ? '' : word('paused');
    }
  }

  #controls() {
    const bar = this.#section.querySelector('[data-log-bar]');
    bar.hidden = false;
    const button = (name, act) => bar.querySelector(`[data-log-${name}]`)?.addEventListener('click', act);
    button('follow', (event) => {
      this.#following = !this.#following;
      event.currentTarget.setAttribute('aria-pressed', String(this.#following));
      if (this.#following) this.#pinned = true;
      this.#flush();
    });
    button('wrap', (event) => {
      const wrap = this.#list.classList.toggle('wrap');
      event.currentTarget.setAttribute('aria-pressed', String(wrap));
    });
    button('end', () => {
      this.#pinned = true;
      this.#list.scrollTop = this.#list.scrollHeight;
    });
    this.#list.addEventListener(
      'scroll',
      () => {
        this.#pinned = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 24;
      },
      { passive: true },
    );
    const search = bar.querySelector('[data-log-search]');
    let timer;
    search.addEventListener('input', () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.#search(search.value), 120);
    });
  }

  #search(query) {
    this.#query = query.trim().toLowerCase();
    for (const line of this.#list.children) this.#match(line);
    if (this.#query === '' && this.#pinned) this.#list.scrollTop = this.#list.scrollHeight;
    this.#tell();
  }

  #match(line) {
    const text = texts.get(line) ?? line.textContent;
    const at = this.#query === '' ? -1 : text.toLowerCase().indexOf(this.#query);
    line.classList.toggle('out', this.#query !== '' && at === -1);
    if (line.querySelector('mark') !== null || at !== -1) {
      line.textContent = text;
      texts.delete(line);
      if (at === -1) decorate(line);
      else
        line.replaceChildren(
          text.slice(0, at),
          marked(text.slice(at, at + this.#query.length)),
          text.slice(at + this.#query.length),
        );
    }
  }
}

function marked(text) {
  const mark = document.createElement('mark');
  mark.textContent = text;
  return mark;
}

/** The time of day in the reader's time zone, if the line has one; with the date unless it is today. */
function short(time) {
  const date = new Date(
    time
      .replace(/^\[|\]$/g, '')
      .replace(',', '.')
      .replace(' ', 'T'),
  );
  if (Number.isNaN(date.getTime())) return time;
  const today = day.format(date) === day.format(new Date());
  return today ? clock.format(date) : `${day.format(date)} ${clock.format(date)}`;
}

/** Dims the time, and highlights errors. */
function decorate(line) {
  const text = line.textContent;
  texts.set(line, text);
  const time = TIME.exec(text)?.[0];
  const rest = time === undefined ? text : text.slice(time.length);
  const said = rest.replace(STEP, '');
  if (
    /\b(?:ERROR|CRITICAL|FATAL|FAILED)\b/.test(rest) ||
    /^(?:Traceback |\w*(?:Error|Exception): |error: |Failed: )/.test(said)
  )
    line.classList.add('err');
  else if (/\bWARN(?:ING)?\b/.test(rest) || /^(?:\w*Warning: |warning: )/.test(said)) line.classList.add('warn');
  else if (/^\s*\$ /.test(rest)) line.classList.add('cmd');
  if (time === undefined) return;
  const at = document.createElement('span');
  at.className = 'at';
  at.title = time;
  at.textContent = short(time);
  line.replaceChildren(at, rest);
}
