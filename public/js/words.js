// What the scripts of a page say, in its language: the server sends the sentences along.
import { meta } from './page.js';

const sentences = JSON.parse(meta('words') || '{}');

const { lang } = document.documentElement;
const primary = (tag) => tag.split('-', 1)[0];

/** How dates are written: as the reader's browser does, in the language of the page. */
export const locale = navigator.languages.find((tag) => primary(tag) === primary(lang)) ?? lang;

/** How the plots write a day: short, the day first in English. */
export const dayLocale = lang === 'en' ? 'en-GB' : lang;

/** A sentence with its values. */
export function word(key, values = {}) {
  return sentences[key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}
