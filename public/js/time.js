const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
let timer;

/** Keeps "3 min ago" true while the page is open, and tells the exact moment in the reader's own time zone. */
export function times(root) {
  for (const time of root.querySelectorAll('time[datetime]')) {
    time.title = exact.format(new Date(time.dateTime));
    refresh(time);
  }
  timer ??= setInterval(() => document.querySelectorAll('time[datetime]').forEach(refresh), 20_000);
}

function refresh(time) {
  const text = ago((Date.now() - Date.parse(time.dateTime)) / 1_000);
  if (text !== undefined && time.textContent !== text) time.textContent = text;
}

/** The same words as the server's. */
function ago(seconds) {
  if (seconds < 45) return 'just now';
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.round(minutes / 60);
  if (hours < 24) return `${hours} h ago`;
  const days = Math.round(hours / 24);
  if (days < 30) return days === 1 ? 'yesterday' : `${days} days ago`;
  // What is older keeps the date that the server wrote.
  return undefined;
}
