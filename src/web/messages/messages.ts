import Handlebars from 'handlebars';
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
 * value, which the translation repeats.
 */
type Sentences = Readonly<Record<string, string>>;

/** What a template passes for a value: text, or HTML of another helper. */
type TemplateValue = string | number | Handlebars.SafeString | undefined;

const VALUES = /\{(\w+)\}/g;

/** The messages of one language. */
export class Words {
  readonly language: Language;
  readonly #messages: Readonly<Record<Key, string | Plural>>;
  readonly #sentences: Sentences;
  readonly #plurals: Intl.PluralRules;
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
    this.#patterns ??= Object.entries(this.#sentences)
      .filter(([source]) => source.includes('{'))
      .map(([source, text]) => ({
        pattern: patternOf(source),
        names: Array.from(source.matchAll(VALUES), ([, name = '']) => name),
        text,
      }));
    for (const { pattern, names, text } of this.#patterns) {
      const match = pattern.exec(english);
      if (match !== null) return text.replace(VALUES, (_, name: string) => match[names.indexOf(name) + 1] ?? '');
    }
    return english;
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
  chinese ??= import('./zh-CN.js').then(({ zhCN, sentences }) => new Words('zh-CN', checked(zhCN), sentences));
  return await chinese;
}

/** Lets the compiler compare the values of a translation with those of the English messages. */
function checked<T extends Record<Key, string>>(messages: T & Translation<T>): Record<Key, string> {
  return messages;
}

/** What matches an English sentence with any values; a value is never empty. */
function patternOf(source: string): RegExp {
  const parts = source.split(/\{\w+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('(.+?)')}$`, 's');
}
