import Handlebars from 'handlebars';
import { asSentence } from '../../lib/words.js';
import { en } from './en.js';

/** The languages of the pages. */
export const languages = ['en', 'zh-CN'] as const;

export type Language = (typeof languages)[number];

/** Names a message, such as `apps.title`. */
export type Key = keyof typeof en;

/** A message whose wording depends on its `{count}`. */
export interface Plural {
  one: string;
  other: string;
}

/** The names of the values in a message. */
type NamesIn<Text> = Text extends `${string}{${infer Name}}${infer Rest}` ? Name | NamesIn<Rest> : never;

type NamesOf<K extends Key> = (typeof en)[K] extends { other: infer Other } ? NamesIn<Other> : NamesIn<(typeof en)[K]>;

/** The values that a message is given: what decides about its form need not stand in it. */
type Names<K extends Key> = NamesOf<K> | ((typeof en)[K] extends { other: string } ? 'count' : never);

type Values<K extends Key> = Record<Names<K>, string | number>;

/** Every message in another language, with the same values as in English. Languages with one plural form need no other. */
export type Translation<T extends Record<Key, string>> = {
  [K in Key]: [NamesIn<T[K]>, NamesOf<K>] extends [NamesOf<K>, NamesIn<T[K]>] ? string : never;
};

/**
 * English sentences that were made elsewhere, of refusals and of releases, with their translations. `{name}` stands for a
 * value, which the translation repeats. Some values are English themselves and are translated by their name: `{why}` and `{where}`
 * (a clause or sentences), `{names}` (a list such as "a, b and 3 more"), `{span}` (such as "3 min 5 s")
 * and `{role}`, and more of them in one sentence as `{role2}`.
 */
type Sentences = Readonly<Record<string, string>>;

/** What a template passes for a value: text, or HTML of another helper. */
type TemplateValue = string | number | Handlebars.SafeString | undefined;

/** A space between two characters of Chinese, or behind a full stop of it. */
const SPACED = /(?<=。) |(?<=[\p{Script=Han}，；：]) (?=\p{Script=Han})/gu;
/** What is longer than any refusal (in characters) is what a program has printed. */
const LONGEST = 2_000;
const VALUES = /\{(\w+)\}/g;
/** The parts of a span of time, as `formatSpan` writes them. */
const SPANS = /(\d+(?:\.\d+)?) (ms|s|min|h)\b/g;

/** The messages of one language. */
export class Words {
  readonly language: Language;
  readonly #messages: Readonly<Record<Key, string | Plural>>;
  readonly #sentences: Sentences;
  readonly #plurals: Intl.PluralRules;
  /** The wordings with values, those with the most words first: what is said of all must not hide what is said of one. */
  #patterns: { pattern: RegExp; names: string[]; text: string }[] | undefined;

  constructor(language: Language, messages: Readonly<Record<Key, string | Plural>>, sentences: Sentences = {}) {
    this.language = language;
    this.#messages = messages;
    this.#sentences = sentences;
    this.#plurals = new Intl.PluralRules(language);
  }

  /** A message as text. */
  t<K extends Key>(key: K, ...values: [Names<K>] extends [never] ? [] : [Values<K>]): string {
    const given: Record<string, string | number> = values[0] ?? {};
    return this.#form(key, given.count).replace(VALUES, (_, name: string) => String(given[name]));
  }

  /**
   * A message as HTML. It may contain `<code>`, `<strong>` and `<a>`, which gets the address `href`; its values are text.
   * @throws Error where there is no such message, or a value is missing
   */
  html(key: string, values: Readonly<Record<string, TemplateValue>>): string {
    if (!Object.hasOwn(this.#messages, key)) throw new Error(`there is no message "${key}"`);
    const valueOf = (name: string): string => {
      const value = values[name];
      if (value === undefined) throw new Error(`the message "${key}" lacks its value "${name}"`);
      return value instanceof Handlebars.SafeString ? value.toHTML() : Handlebars.escapeExpression(String(value));
    };
    return this.#form(key as Key, values.count).replace(
      /<(\/?)(code|strong|a)>|\{(\w+)\}|[&<>"]/g,
      (found, end: string, tag: string | undefined, name: string | undefined) => {
        if (name !== undefined) return valueOf(name);
        if (tag === 'a' && end === '') return `<a href="${valueOf('href')}">`;
        return tag === undefined ? Handlebars.escapeExpression(found) : found;
      },
    );
  }

  /** The messages of a group, for scripts: "browser." for those of our pages, "visit." for what is added to those of apps. */
  of(group: 'browser.' | 'visit.'): Record<string, string | Plural> {
    const found = Object.entries(this.#messages).filter(([key]) => key.startsWith(group));
    return Object.fromEntries(found.map(([key, message]) => [key.slice(group.length), message]));
  }

  /** A sentence that was made in English, such as that of a refusal; unchanged where it has no translation. */
  sentence(english: string): string {
    if (Object.hasOwn(this.#sentences, english)) return this.#sentences[english] ?? english;
    if (english.length > LONGEST) return english;
    this.#patterns ??= Object.entries(this.#sentences)
      .filter(([source]) => source.includes('{'))
      .sort(([a], [b]) => b.replace(VALUES, '').length - a.replace(VALUES, '').length)
      .map(([source, text]) => ({
        pattern: patternOf(source),
        names: Array.from(source.matchAll(VALUES), ([, name = '']) => name),
        text,
      }));
    for (const { pattern, names, text } of this.#patterns) {
      const match = pattern.exec(english);
      if (match === null) continue;
      // A value may have become one in Chinese, which has no spaces.
      return text
        .replace(VALUES, (_, name: string) => this.#value(name, match[names.indexOf(name) + 1] ?? ''))
        .replace(SPACED, '');
    }
    return english;
  }

  /** A value of such a sentence, which may be English itself. */
  #value(name: string, value: string): string {
    // A second value of its kind has a number.
    switch (name.replace(/\d$/, '')) {
      case 'why':
      case 'where':
        return this.#clause(value);
      case 'names':
        return this.list(value.split(/, | and | or /).map((one) => this.sentence(one)));
      case 'role':
        return Object.hasOwn(this.#messages, `role.${value}`) ? this.#form(`role.${value}` as Key, undefined) : value;
      case 'span':
        return value.replace(SPANS, (_, n: string, unit: 'ms' | 's' | 'min' | 'h') => this.span(unit, Number(n)));
      default:
        return value;
    }
  }

  /** A clause that was made in English, without the full stop that it lacks. */
  #clause(clause: string): string {
    const known = this.sentence(clause);
    if (known !== clause) return known;
    const english = asSentence(clause);
    const translated = this.sentence(english);
    if (translated === english) return clause;
    return /[.!?]$/.test(clause) ? translated : translated.replace(/。$/, '');
  }

  /** A number of milliseconds, seconds, minutes or hours. */
  readonly span = (unit: 'ms' | 's' | 'min' | 'h', n: number): string => this.t(`span.${unit}`, { n });

  /** Names in one list: "a, b and c" is for sentences, this is for a line of facts. */
  list(names: readonly string[]): string {
    return names.join(this.#form('list.separator', undefined));
  }

  /** Clauses that were made in English, in one sentence without its full stop. */
  clauses(clauses: readonly string[]): string {
    return clauses.map((clause) => this.sentence(clause)).join(this.#form('list.clauses', undefined));
  }

  #form(key: Key, count: unknown): string {
    const message = this.#messages[key];
    if (typeof message === 'string') return message;
    return this.#plurals.select(Number(count)) === 'one' ? message.one : message.other;
  }
}

/** The language in which everything is that no visitor has asked for. */
export const english = new Words('en', en);

let chinese: Promise<Words> | undefined;

/** The messages of a language; all but English are loaded when they are first asked for. */
export async function wordsOf(language: Language): Promise<Words> {
  if (language === 'en') return english;
  chinese ??= Promise.all([import('./zh-CN.js'), import('./zh-CN-sentences.js')]).then(
    ([{ zhCN }, { sentences }]) => new Words('zh-CN', checked(zhCN), sentences),
  );
  return await chinese;
}

/** Lets the compiler compare the values of a translation with those of the English messages. */
function checked<T extends Record<Key, string>>(messages: T & Translation<T>): Record<Key, string> {
  return messages;
}

/** What matches an English sentence with any values; a value is never empty, and `why` is all that there is. */
function patternOf(source: string): RegExp {
  const parts = source.split(/(\{\w+\})/).map((part, at) => {
    if (at % 2 === 0) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    return part === '{why}' ? '(.+)' : '(.+?)';
  });
  return new RegExp(`^${parts.join('')}$`, 's');
}
