import type {
  AlertsView,
  DrainsView,
  PlotView,
  RangeView,
  PageViewsView,
  ReleaseMetricsView,
  TileView,
} from './machine-views.js';
import type {
  AccountForm,
  AccountView,
  AuditEntryView,
  FactorsView,
  SessionView,
  CiView,
  TokensView,
} from './people-views.js';
import type { ApiDocs } from './api/docs.js';
import type { DiffView } from './diff.js';
import type { Links } from './links.js';
import type { JoinModel, LoginModel } from './login.js';
import type { SecondModel } from './second-step.js';
import type { OpenAppModel } from './open-app.js';
import type { TimeView } from './numbers.js';
import type { AppView, FolderView, ReleaseView } from './presenters.js';
import type { Words } from './messages/messages.js';
import type { Layout } from '../domain/project/layout.js';

/** What every page knows of the site and of the person who looks. */
export interface Site {
  links: Links;
  /** The messages in the language of the page; English by default. */
  words?: Words;
  /** The page below the public base, with its query: the switch of the language leads back to it. */
  page?: string;
  /** The session's CSRF token; undefined for a page that anybody may see. */
  csrf: string | undefined;
  /** The email address of the account that is logged in; undefined for the admin token and for visitors. */
  who?: string | undefined;
  /** True where the person may manage accounts. */
  people?: boolean;
  /** True where the person may see what the machine does. */
  machine?: boolean;
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

/** What an app's pages share: its head, and which tab is the current one. */
interface AppPage {
  app: AppView;
  tab: 'overview' | 'logs' | 'metrics' | 'errors' | 'alerts' | 'deploys' | 'files' | 'config' | 'settings' | 'access';
  notice: Notice | undefined;
}

/** A link that a page shows once, after it was made. */
export interface Made {
  title: string;
  url: string;
  /** Whom it is for. */
  email: string;
  /** How long it works, in full sentences. */
  hint: string;
}

/** What the pages with plots share. */
interface PlotsPage {
  ranges: RangeView[];
  tiles: TileView[];
  plots: PlotView[];
  /** The call of the API that has the values, below the public base. */
  source: string;
  /** The steps of the plots, in s. */
  step: number;
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

/** An app in the gallery. */
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
  'console/open': OpenAppModel;
  'console/join': JoinModel;
  'console/second': SecondModel;
  'console/people': {
    accounts: AccountView[];
    notice: Notice | undefined;
  } & AccountForm;
  'console/person': {
    account: AccountView;
    sessions: number;
    notice: Notice | undefined;
    /** True where the person has a second factor. */
    hasFactor: boolean;
    /** True where it is required of this person alone, and of everyone. */
    factorRequired: boolean;
    everyone: boolean;
  } & AccountForm;
  'console/account': {
    /** undefined where the admin token is logged in. */
    account: AccountView | undefined;
    tokens: TokensView | undefined;
    /** undefined where it has no password. */
    factors: FactorsView | undefined;
    sessions: SessionView[];
    notice: Notice | undefined;
    name: string;
    error: string | undefined;
    field: string | undefined;
  };
  'console/audit': {
    entries: AuditEntryView[];
    /** The page with older entries. */
    older: string | undefined;
    /** What was searched for. */
    who: string;
    app: string;
    q: string;
  };
  'console/metrics': AppPage & PlotsPage & { pages: PageViewsView[]; releases: ReleaseMetricsView[] };
  'console/errors': AppPage & {
    mayClear: boolean;
    errors: {
      type: string;
      message: string;
      place: string;
      function: string;
      count: number;
      first: TimeView;
      last: TimeView;
      firstRelease: { number: number; href: string };
      lastRelease: { number: number; href: string };
      /** True where it was not seen before the live release. */
      isNew: boolean;
      traceback: string;
    }[];
  };
  'console/drains': AppPage & { drains: DrainsView };
  'console/machine-drains': { drains: DrainsView; notice: Notice | undefined };
  'console/alerts': AppPage & { alerts: AlertsView };
  'console/machine-alerts': { alerts: AlertsView; summary: string; notice: Notice | undefined };
  'console/machine': PlotsPage & {
    summary: string;
    sort: 'memory' | 'cpu';
    byMemory: string;
    byCpu: string;
    apps: {
      name: string;
      href: string;
      cpu: string;
      memory: string;
      /** Of the machine's memory. */
      part: string;
      pages: number;
      requests: string;
      processes: number;
    }[];
  };
  'console/apps': {
    apps: (AppView & { spark: string; visitors: string })[];
    /** True where the person may create apps. */
    mayCreate: boolean;
    summary: string;
    example: string;
    notice: Notice | undefined;
    mistakes: readonly string[];
    /** Why apps are not kept apart from the console, where they are not. */
    unsafe: string | undefined;
    /** What keeps deploys from running, in full sentences. */
    waitsFor: readonly string[];
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
  'console/deploy': AppPage & {
    release: ReleaseView;
    log: LogView;
    /** The path of the release's exact packages, where they are known. */
    packages: string | undefined;
    download: string;
  };
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
    /** Whether the text was typed and not saved; what is stored is `stored` then. */
    unsaved: boolean;
    stored: string;
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
    replicas: number | string;
    maxReplicas: number;
  };
  'console/access': AppPage & {
    /** True where a password that opens the app was chosen before. */
    hasPassword: boolean;
    shares: { id: string; name: string; embed: boolean; by: string; expires: string }[];
    share: {
      made: Made | undefined;
      error: string | undefined;
      field: string | undefined;
      name: string;
      days: string;
      most: number;
      embed: boolean;
      frames: string;
    };
    /** Who may open the app. */
    openings: { name: string; title: string; hint: string; chosen: boolean }[];
    holders: { who: string; title: string; group: boolean; role: string; disabled: boolean }[];
    roles: { name: string; title: string; may: string; chosen: boolean }[];
    /** The deploy tokens; undefined for a preview. */
    tokens: TokensView | undefined;
    /** The CI jobs that may deploy it; undefined for a preview. */
    ci: CiView | undefined;
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
