/** A moment, for a `<time>`: the browser keeps `text` fresh. */
export interface TimeView {
  iso: string;
  text: string;
  title: string;
}

/** A moment seen from another: "3 minutes ago". */
export function presentTime(iso: string, now: Date): TimeView {
  const date = new Date(iso);
  return {
    iso,
    text: ago(now.getTime() - date.getTime(), date),
    title: `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`,
  };
}

/** A span of time in ms: "850 ms", "4.2 s", "3 min 5 s", "2 h 10 min". */
export function presentSpan(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  const seconds = ms / 1_000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds) % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Bytes with three digits at most: "512 B", "1.4 kB", "182 MB". */
export function presentBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${unit === 0 || value >= 9.95 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`;
}

/** A share of one core as per cent; a whole number, since more would only flicker. */
export function presentShare(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** The page keeps it fresh in the same words: public/js/time.js. */
function ago(ms: number, date: Date): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 45) return 'just now';
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.round(minutes / 60);
  if (hours < 24) return `${hours} h ago`;
  const days = Math.round(hours / 24);
  if (days < 30) return days === 1 ? 'yesterday' : `${days} days ago`;
  return date.toISOString().slice(0, 10);
}
