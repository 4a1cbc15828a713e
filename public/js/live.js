// Parts of a page marked data-live are kept up to date: when the server announces a change, the page is fetched again and the
// parts that differ are replaced. So each part has one template, on the server.
import { base, headers, whileSeen } from './page.js';
import { word } from './words.js';
import { Stream } from './stream.js';

/** Memory and CPU change without an event. */
const REFRESH_MS = 10_000;
const parts = new Map();
const line = () => document.querySelector('[data-connection]');
let fetching = false;
let again = false;
let timer;

/** Notes what the server sent, before other modules change it. */
export function remember() {
  for (const part of document.querySelectorAll('[data-live]')) parts.set(part.dataset.live, signature(part));
}

/** Listens to the server's events while the page is visible. */
export function watch() {
  let wait = 1_000;
  let lost = false;
  let source;
  const connect = () => {
    source = new Stream(`${base}/api/events`);
    source.addEventListener('open', () => {
      wait = 1_000;
      if (!lost) return;
      lost = false;
      mended();
      refresh();
    });
    for (const type of ['app', 'removed']) source.addEventListener(type, soon);
    source.addEventListener('error', ({ closed }) => {
      lost = true;
      say(word('connectionLost'));
      if (!closed) return;
      // It gives up if the answer is not a stream, but the server may just be starting.
      setTimeout(() => !source.live && document.visibilityState === 'visible' && connect(), wait);
      wait = Math.min(wait * 2, 30_000);
      refresh();
    });
  };
  whileSeen(connect, () => source.close(), refresh);
  setInterval(() => document.visibilityState === 'visible' && !lost && refresh(), REFRESH_MS);
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, 150);
}

async function refresh() {
  if (parts.size === 0) return;
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  try {
    const answer = await fetch(location.href, {
      headers: { ...headers, Accept: 'text/html' },
      credentials: 'same-origin',
      cache: 'no-store',
    });
    if (answer.status === 403) {
      const here = location.pathname.slice(base.length) + location.search;
      say(`${word('loggedOut')} `, {
        text: word('logInAgain'),
        href: `${base}/console/login?next=${encodeURIComponent(here)}`,
      });
    } else if (answer.status === 404) {
      say(`${word('pageGone')} `, { text: word('seeAllApps'), href: `${base}/console/` });
    } else if (answer.ok) {
      exchange(new window.DOMParser().parseFromString(await answer.text(), 'text/html'));
    }
  } catch {
    // Not reachable: the event stream notices it too, and shows it.
  } finally {
    fetching = false;
    if (again) {
      again = false;
      soon();
    }
  }
}

function exchange(page) {
  for (const fresh of page.querySelectorAll('[data-live]')) {
    const key = fresh.dataset.live;
    const old = document.querySelector(`[data-live="${key}"]`);
    if (old === null || parts.get(key) === signature(fresh) || selecting(old)) continue;
    // What somebody has opened to read stays open until they close it.
    if (old.querySelector('[data-hold][open]') !== null) continue;
    parts.set(key, signature(fresh));
    // The parts inside it are replaced with it.
    for (const inner of fresh.querySelectorAll('[data-live]')) parts.set(inner.dataset.live, signature(inner));
    const focused = old.contains(document.activeElement) ? document.activeElement : undefined;
    old.dispatchEvent(new CustomEvent('live:leaving', { bubbles: true }));
    const part = document.importNode(fresh, true);
    old.replaceWith(part);
    part.dispatchEvent(new CustomEvent('live:changed', { bubbles: true }));
    if (focused !== undefined) same(part, focused)?.focus({ preventScroll: true });
  }
}

/** What distinguishes two versions of a part: its key if it has one, otherwise its whole content. */
function signature(part) {
  return part.dataset.liveKey ?? part.outerHTML;
}

function selecting(part) {
  const selection = document.getSelection();
  return selection !== null && !selection.isCollapsed && part.contains(selection.anchorNode);
}

/** Finds the element of the new part that corresponds to one of the old part. */
function same(part, old) {
  if (old.id !== '') return part.querySelector(`#${old.id}`);
  const href = old.getAttribute('href');
  return [...part.querySelectorAll(old.tagName)].find(
    (element) => element.getAttribute('href') === href && element.textContent === old.textContent,
  );
}

function say(text, link) {
  const place = line();
  if (place.firstChild?.textContent === text) return;
  place.classList.remove('mended');
  place.replaceChildren(text);
  if (link === undefined) return;
  const a = document.createElement('a');
  a.href = link.href;
  a.textContent = link.text;
  place.append(a);
}

function mended() {
  const place = line();
  place.classList.add('mended');
  place.replaceChildren(word('reconnected'));
  setTimeout(() => place.classList.contains('mended') && place.replaceChildren(), 3_000);
}
