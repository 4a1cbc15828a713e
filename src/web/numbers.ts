import { english, type Words } from './messages/messages.js';

/** A moment, for a `<time>`: the browser keeps `text` fresh. */
export interface TimeView {
  iso: string;
  text: string;
  title: string;
}

/** A moment seen from another: "3 minutes ago". */
export function presentTime(iso: string, now: Date, words: Words = english): TimeView {
  const date = new Date(iso);
  return {
    iso,
    text: ago(now.getTime() - date.getTime(), date, words),
    title: `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`,
  };
}

/** A share of one core as per cent; a whole number, since more would only flicker. */
export function presentShare(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** The page keeps it fresh in the same words: public/js/time.js. */
function ago(ms: number, date: Date, words: Words): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 45) return words.t('browser.justNow');
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return words.t('browser.minutesAgo', { n: minutes });
  const hours = Math.round(minutes / 60);
  if (hours < 24) return words.t('browser.hoursAgo', { n: hours });
  const days = Math.round(hours / 24);
  if (days < 30) return days === 1 ? words.t('browser.yesterday') : words.t('browser.daysAgo', { n: days });
  return date.toISOString().slice(0, 10);
}
