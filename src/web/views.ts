import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import Handlebars from 'handlebars';
import type { PublicFiles } from './public.js';
import { formToken } from './form-token.js';
import { drawPicture } from './picture.js';
import { drawQr } from './qr.js';
import type { Links } from './links.js';
import { english, languages, type Language } from './messages/messages.js';
import { switchTo } from './language.js';
import { asSentence } from '../lib/words.js';
import type { TimeView } from './numbers.js';
import type { GatewayFacts, GatewayPage, Pages, Site } from './page-models.js';

export interface ViewsOptions {
  /** The folder of the Handlebars templates. */
  templates: string;
  files: PublicFiles;
}

/** The icons, drawn on a grid of 16; they take the colour and size of the text around them. */
const ICONS: Record<string, string> = {
  open: '<path d="M6 3.5H4A1.5 1.5 0 0 0 2.5 5v7A1.5 1.5 0 0 0 4 13.5h7a1.5 1.5 0 0 0 1.5-1.5v-2M9.5 2.5h4v4M13 3 7.5 8.5"/>',
  copy: '<rect x="5.5" y="5.5" width="8" height="8" rx="1.5"/><path d="M10.5 3V3A1 1 0 0 0 9.5 2h-6A1.5 1.5 0 0 0 2 3.500v6a1 1 0 0 0 1 1"/>',
  back: '<path d="M9.500 3.500 5 8l4.500 4.500"/>',
  file: '<path d="M9 2H4.500A1 1 0 0 0 3.500 3v10a1 1 0 0 0 1 1h7a1 1 0 0 0 1-1V5.500Zm0 0v3.500h3.500"/>',
  search: '<circle cx="7" cy="7" r="4.500"/><path d="m10.500 10.500 3 3"/>',
  star: '<path d="m8 1.8 1.9 3.900 4.300.6-3.100 3 .7 4.200L8 11.500l-3.800 2 .7-4.200-3.100-3 4.300-.6Z"/>',
  plus: '<path d="M8 3v10M3 8h10"/>',
};

/** The languages, each in its own. */
const LANGUAGES: Record<Language, string> = { en: 'English', 'zh-CN': '简体中文' };

const HELPERS = [
  'asset',
  'concat',
  'csrf',
  'eq',
  'icon',
  'languages',
  'moment',
  'now',
  'picture',
  'qr',
  'slot',
  't',

  'to',
  'words',
] as const;

/**
 * Renders the pages. All templates are read at construction, so a newer version on disk changes nothing, and each is parsed when
 * it is first shown. Strict: a value that a template names and the model lacks is an error.
 */
export class Views {
  readonly #handlebars = Handlebars.create();
  readonly #pages = new Map<string, Handlebars.TemplateDelegate>();

  constructor(options: ViewsOptions) {
    this.#registerHelpers(options.files);
    for (const [name, source] of readTemplates(options.templates)) {
      if (name.startsWith('partials/')) {
        this.#handlebars.registerPartial(name.slice('partials/'.length), this.#compile(source));
      } else {
        this.#pages.set(name, this.#compile(source));
      }
    }
  }

  /** The names of all pages. */
  get names(): string[] {
    return [...this.#pages.keys()];
  }

  /** A page as HTML. @throws Error where the model lacks what the page shows */
  render<Name extends keyof Pages>(name: Name, site: Site, model: Pages[Name]): string {
    const { words = english } = site;
    const filled = { who: undefined, people: false, machine: false, page: '/', ...site, words };
    return this.#render(name, { ...model, lang: words.language, site: filled });
  }

  /**
   * A page that the gateway shows instead of an app. It is for visitors: it tells the app's name and state, no more.
   * @param app the app, where there is one at this address
   */
  renderGateway(
    page: GatewayPage,
    { links, words = english, page: here = '/' }: Pick<Site, 'links' | 'words' | 'page'>,
    app: { id: string; name: string } | undefined,
    facts: GatewayFacts = {},
  ): string {
    const name = app?.name ?? '';
    const href = app === undefined ? '' : links.console(`apps/${app.id}`);
    return this.#render(`gateway/${page}`, {
      name,
      href,
      url: app === undefined ? '' : links.git(app.id),
      lines: facts.lines ?? [],
      reason: facts.reason === undefined ? undefined : words.sentence(asSentence(facts.reason)),
      lang: words.language,
      site: { links, words, page: here, csrf: undefined },
    });
  }

  #render(name: string, model: object): string {
    const page = this.#pages.get(name);
    if (page === undefined) throw new Error(`there is no page "${name}"`);
    return page(model);
  }

  #compile(source: string): Handlebars.TemplateDelegate {
    return this.#handlebars.compile(source, {
      strict: true,
      preventIndent: true,
      knownHelpersOnly: true,
      knownHelpers: Object.fromEntries(HELPERS.map((name) => [name, true])),
    });
  }

  #registerHelpers(files: PublicFiles): void {
    const siteIn = (options: Handlebars.HelperOptions): Required<Pick<Site, 'links' | 'words' | 'page'>> =>
      (options.data as { root: { site: Required<Site> } }).root.site;
    const links = (options: Handlebars.HelperOptions): Links => siteIn(options).links;
    const helpers: Record<(typeof HELPERS)[number], Handlebars.HelperDelegate> = {
      // A sentence in the language of the page: it is HTML already, and its values are not.
      t: (key: string, options: Handlebars.HelperOptions) =>
        new Handlebars.SafeString(siteIn(options).words.html(key, options.hash as Record<string, string>)),
      moment: ({ iso, title, text }: TimeView) => {
        const [datetime, exact, shown] = [iso, title, text].map((part) => Handlebars.escapeExpression(part));
        return new Handlebars.SafeString(`<time datetime="${datetime}" title="${exact}">${shown}</time>`);
      },
      // Where a script writes what a dialog is about.
      slot: () => new Handlebars.SafeString('<span data-slot></span>'),
      concat: (...args: unknown[]) => args.slice(0, -1).join(''),
      // What the page's scripts say.
      words: (options: Handlebars.HelperOptions) => JSON.stringify(siteIn(options).words.of('browser.')),
      languages: (options: Handlebars.HelperOptions) => {
        const { words, page } = siteIn(options);
        return languages.map((language) => ({
          ...{ language, name: LANGUAGES[language], current: language === words.language },
          href: switchTo(language, page),
        }));
      },
      to: (path: string, options: Handlebars.HelperOptions) => links(options).to(path),
      asset: (name: string, options: Handlebars.HelperOptions) => links(options).base + files.path(name),
      icon: (name: string) =>
        new Handlebars.SafeString(
          `<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">${ICONS[name] ?? ''}</svg>`,
        ),
      // The hidden field of a form, whose arguments together are where the form is sent to.
      csrf: (...args: unknown[]) => {
        const { data } = args.pop() as { data: { root: { site: Site } } };
        const { csrf, here = '', links } = data.root.site;
        if (csrf === undefined) return '';
        const path = args.length === 0 ? here : args.join('').slice(links.base.length);
        return new Handlebars.SafeString(`<input type="hidden" name="csrf" value="${formToken(csrf, path)}">`);
      },
      picture: (name: string) => new Handlebars.SafeString(drawPicture(name)),
      qr: (text: string, label: Handlebars.SafeString) => new Handlebars.SafeString(drawQr(text, label.toHTML())),
      now: () => new Date().toISOString(),
      eq: (a: unknown, b: unknown) => a === b,
    };
    this.#handlebars.registerHelper(helpers);
  }
}

function* readTemplates(folder: string): Generator<[string, string]> {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.hbs')) continue;
    const path = join(entry.parentPath, entry.name);
    yield [
      relative(folder, path)
        .split(sep)
        .join('/')
        .replace(/\.hbs$/, ''),
      readFileSync(path, 'utf8'),
    ];
  }
}
