import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import Handlebars from 'handlebars';
import type { ApiDocs } from './api/docs.js';
import type { DiffView } from './diff.js';
import type { PublicFiles } from './public.js';
import { formToken } from './form-token.js';
import { drawPicture } from './picture.js';
import type { Links } from './links.js';
import type { JoinModel, LoginModel } from './login.js';
import type { TimeView } from './numbers.js';
import type { AppView, FolderView, ReleaseView } from './presenters.js';
import type { Layout } from '../domain/project/layout.js';
import { asSentence, counted } from '../lib/words.js';

/** What every page knows of the site and of the person who looks. */
export interface Site {
  links: Links;
  /** The session's CSRF token; undefined for a page that anybody may see. */
  csrf: string | undefined;
  /** The email address of the account that is logged in; undefined for the admin token and for visitors. */
  who?: string | undefined;
  /** True where the person may manage accounts. */
  people?: boolean;
  /** The page's own path below the public base: forms without an action are sent there. */
  here?: string;
}

/** One sentence at the top of a page, after something was done or refused. */
export interface Notice {
  tone: 'good' | 'bad' | 'busy';
  /** What it is about: the name of what was done, or the code of a refusal. */
  code: string;
  text: string;
}

/** The tokens of an account or an app, and the form for a new one. */
export interface TokensView {
  /** Where the forms are sent to. */
  action: string;
  list: {
    id: string;
    name: string;
    hint: string;
    scope: string;
    apps: string;
    expires: string;
    used: TimeView | undefined;
  }[];
  /** The token that was just made: it is shown once. */
  made: { name: string; secret: string } | undefined;
  personal: boolean;
  scopes: { name: string; chosen: boolean }[];
  name: string;
  apps: string;
  days: string;
  most: number;
  error: string | undefined;
  field: string | undefined;
}

/** A form about an account. */
interface AccountForm {
  /** The link that was just made: it is shown once. */
  link: { title: string; url: string; email: string } | undefined;
  /** What was typed, and why it was refused. */
  email: string;
  name: string;
  groups: string;
  admin: boolean;
  error: string | undefined;
  field: string | undefined;
}

/** An account, as the console shows it. */
export interface AccountView {
  id: string;
  title: string;
  email: string;
  href: string;
  groups: string[];
  admin: boolean;
  disabled: boolean;
  /** True until its person has chosen a password. */
  invited: boolean;
  lastLogin: TimeView | undefined;
  /** True for the account of the person who looks. */
  self: boolean;
}

/** What an app's pages share: its head, and which tab is the current one. */
interface AppPage {
  app: AppView;
  tab: 'overview' | 'logs' | 'deploys' | 'files' | 'config' | 'settings' | 'access';
  notice: Notice | undefined;
}

/** What the log viewer shows and where its next lines come from. */
export interface LogView {
  /** The element's id; one page may hold two logs. */
  id: string;
  label: string;
  lines: string[];
  /** The path (below the public base) that streams further lines; undefined where no more will come. */
  follow: string | undefined;
  /** The text that shows while there is no line. */
  empty: string;
}

/** A tag with the page that shows the apps that have it. */
export interface TagView {
  name: string;
  href: string;
  /** True where this page is that page. */
  current: boolean;
}

export interface GalleryCard {
  id: string;
  name: string;
  description: string;
  tags: TagView[];
  state: AppView['state'];
  url: string | undefined;
  /** The address of its picture; undefined where one is drawn. */
  photo: string | undefined;
  search: string;
  /** True where it lacks what is searched for; the page's script shows it again when the search is another. */
  out: boolean;
}

/** What a visitor of an app sees while it cannot answer. */
export type GatewayPage = 'building' | 'crashed' | 'empty' | 'failed' | 'not-found' | 'starting' | 'stopped';

/** What such a page also shows. */
export interface GatewayFacts {
  /** The last lines of the deploy that is under way. */
  lines?: string[] | undefined;
  /** Why the app failed. */
  reason?: string | undefined;
}

/** Every page with what it needs. A page that lacks something throws: strict templates do not guess. */
export interface Pages {
  'console/login': LoginModel;
  'console/join': JoinModel;
  'console/people': {
    accounts: AccountView[];
    notice: Notice | undefined;
  } & AccountForm;
  'console/person': { account: AccountView; notice: Notice | undefined } & AccountForm;
  'console/account': {
    /** undefined where the admin token is logged in. */
    account: AccountView | undefined;
    tokens: TokensView | undefined;
    notice: Notice | undefined;
    name: string;
    error: string | undefined;
    field: string | undefined;
  };
  'console/apps': {
    apps: AppView[];
    summary: string;
    example: string;
    notice: Notice | undefined;
    mistakes: readonly string[];
    /** Why apps are not kept apart from the console, where they are not. */
    unsafe: string | undefined;
  };
  'console/new': {
    name: string;
    description: string;
    main: string;
    error: string | undefined;
    field: string | undefined;
    example: string;
  };
  'console/overview': AppPage & {
    previews: { on: boolean; list: AppView[]; stored: string[] };
    log: LogView;
    recent: ReleaseView[];
    deployLog: LogView | undefined;
  };
  'console/logs': AppPage & { log: LogView; q: string; tail: number; download: string };
  'console/deploys': AppPage & { releases: ReleaseView[] };
  'console/deploy': AppPage & { release: ReleaseView; log: LogView; download: string };
  'console/rollback': AppPage & { release: ReleaseView; diff: DiffView };
  'console/config': AppPage & {
    /** Why nothing can be shown. */
    problem: string | undefined;
    /** True where the live release runs with another version than new ones get. */
    behind: boolean;
    stopped: boolean;
    missing: { name: string; text: string; path: string; href: string; fills: boolean }[];
    vars: { name: string; changed: TimeView; by: string; revealed: boolean; value: string; href: string }[];
    /** What was typed, or is about to be. */
    name: string;
    value: string;
    varError: string | undefined;
    env: string;
    envError: string | undefined;
    secrets: {
      set: boolean;
      names: string[];
      changed: { time: TimeView; by: string } | undefined;
      toml: string;
      /** Names the secrets that the form began with. */
      was: string;
      error: string | undefined;
    };
  };
  'console/files': AppPage & { folders: FolderView[]; count: number; clone: string };
  'console/file': AppPage & {
    folders: FolderView[];
    count: number;
    path: string;
    /** False where the file is not text, or too large. */
    editable: boolean;
    text: string;
    /** The colours' language; empty for none. */
    language: string;
    size: string;
    /** Names the content that the editor began with, so that nobody's change is overwritten unseen. */
    was: string;
    message: string;
    /** The path that the file may be moved to. */
    newPath: string;
    /** True where the form that renames and deletes stands open. */
    moving: boolean;
    error: string | undefined;
    download: string;
  };
  'console/new-file': AppPage & {
    path: string;
    text: string;
    message: string;
    error: string | undefined;
    field: string | undefined;
  };
  'console/settings': AppPage & {
    clone: string;
    error: string | undefined;
    field: string | undefined;
    name: string;
    description: string;
    tags: string;
    hidden: boolean;
    branch: string;
    layout: Required<Layout>;
    previews: boolean;
  };
  'console/access': AppPage & {
    /** Who may open the app. */
    openings: { name: string; title: string; hint: string; chosen: boolean }[];
    holders: { who: string; title: string; group: boolean; role: string; disabled: boolean }[];
    roles: { name: string; may: string; chosen: boolean }[];
    /** The deploy tokens; undefined for a preview. */
    tokens: TokensView | undefined;
    /** What was typed, and why it was refused. */
    who: string;
    error: string | undefined;
    field: string | undefined;
  };
  'console/delete': AppPage & { error: string | undefined };
  'api-docs': ApiDocs;
  gallery: {
    cards: GalleryCard[];
    summary: string;
    /** Every tag of the gallery, the one that shows all apps first; empty where no app has a tag. */
    tags: TagView[];
    /** The tag that is shown; empty for all. */
    tag: string;
    q: string;
    /** True where nothing on this page matches. */
    none: boolean;
  };
  error: { status: number; title: string; message: string };
}

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

/**
 * Renders the pages. All templates are read and parsed at construction, so a mistake in one stops the server at its
 * start, not a visitor on their way. Strict: a value that a template names and the model lacks is an error.
 */
export class Views {
  readonly #handlebars = Handlebars.create();
  readonly #pages = new Map<string, Handlebars.TemplateDelegate>();

  constructor(options: ViewsOptions) {
    this.#registerHelpers(options.files);
    for (const [name, source] of readTemplates(options.templates)) {
      const program: unknown = this.#handlebars.parse(source);
      if (name.startsWith('partials/')) {
        this.#handlebars.registerPartial(name.slice('partials/'.length), this.#compile(program));
      } else {
        this.#pages.set(name, this.#compile(program));
      }
    }
  }

  /** The names of all pages. */
  get names(): string[] {
    return [...this.#pages.keys()];
  }

  /** A page as HTML. @throws Error where the model lacks what the page shows */
  render<Name extends keyof Pages>(name: Name, site: Site, model: Pages[Name]): string {
    return this.#render(name, { ...model, site: { who: undefined, people: false, ...site } });
  }

  /**
   * A page that the gateway shows instead of an app. It is for visitors: it tells the app's name and state, no more.
   * @param app the app, where there is one at this address
   */
  renderGateway(
    page: GatewayPage,
    links: Links,
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
      reason: facts.reason === undefined ? undefined : asSentence(facts.reason),
      site: { links, csrf: undefined },
    });
  }

  #render(name: string, model: object): string {
    const page = this.#pages.get(name);
    if (page === undefined) throw new Error(`there is no page "${name}"`);
    return page(model);
  }

  #compile(program: unknown): Handlebars.TemplateDelegate {
    return this.#handlebars.compile(program, {
      strict: true,
      preventIndent: true,
      knownHelpersOnly: true,
      knownHelpers: { now: true, to: true, asset: true, icon: true, picture: true, eq: true, count: true, csrf: true },
    });
  }

  #registerHelpers(files: PublicFiles): void {
    const links = (options: Handlebars.HelperOptions): Links => {
      const { root } = options.data as { root: { site: Site } };
      return root.site.links;
    };
    this.#handlebars.registerHelper({
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
      now: () => new Date().toISOString(),
      eq: (a: unknown, b: unknown) => a === b,
      count: (number: number, one: string, many: string) => counted(number, one, many),
    });
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
