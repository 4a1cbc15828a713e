import { meta } from './page.js';
import { locale, word } from './words.js';

/** How far the browser's clock is behind the server's, in ms. What a slow network adds is too little to matter. */
const behind = Date.parse(meta('now')) - Date.now();
const correction = Math.abs(behind) > 30_000 ? behind : 0;

const exact = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
let timer;

/** Keeps "3 min ago" up to date while the page is open, and shows the exact time in the reader's time zone. */
export function times(root) {
  for (const time of root.querySelectorAll('time[datetime]')) {
    time.title = exact.format(new Date(time.dateTime));
    refresh(time);
  }
  timer ??= setInterval(() => document.querySelectorAll('time[datetime]').forEach(refresh), 20_000);
}

function refresh(time) {
  const text = ago((Date.now() + correction - Date.parse(time.dateTime)) / 1_000);
  if (text !== undefined && time.textContent !== text) time.textContent = text;
}

/** The same words as the server's. */
function ago(seconds) {
  if (seconds < 45) return word('justNow');
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return word('minutesAgo', { n: minutes });
  const hours = Math.round(minutes / 60);
  if (hours < 24) return word('hoursAgo', { n: hours });
  const days = Math.round(hours / 24);
  if (days < 30) return days === 1 ? word('yesterday') : word('daysAgo', { n: days });
  // Older times keep the date from the server.
  return undefined;
}
