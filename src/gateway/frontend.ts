import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pinText, type Pin } from '../domain/app/pin.js';
import { readFrontendFile, type FrontendKeys } from './frontend-keys.js';

/** The longest version that stands in a key, in characters. */
const MAX_VERSION = 19;

/** The browser's half of one Streamlit, as it lies in an environment. */
export interface Frontend {
  /** Names its files in addresses: the version, and a hash of them all, since anybody can build any version. */
  key: string;
  /** The folder with its files; they are named after their contents. An app may own it and exchange them. */
  folder: string;
  /** The hash of each of them, by its path from the folder, as the key was made of it. */
  hashes: ReadonlyMap<string, string>;
  /** Its page as Streamlit would serve it. */
  html: string;
  /**
   * True where it takes the address of its server from `window.__streamlit`, so that each tab can be bound to a release.
   * Streamlit reads it since 1.47 (https://github.com/streamlit/streamlit/pull/11378).
   */
  pins: boolean;
  /** Changes when another Streamlit is installed in its place. */
  stamp: string;
}

/** Where one page belongs. */
export interface PageBinding {
  frontend: Frontend;
  /** The public base's own path; empty where it has none. */
  basePath: string;
  app: string;
  /** What people call the app. */
  name: string;
  pin: Pin;
  /** The address of a module that is added to the page; undefined for none. */
  module: string | undefined;
  /** The text of the script that binds what Streamlit does not (`public/js/stay.js`); it runs before all others. */
  stay: string;
  /** What the module says, as JSON, in the language of the visitor. */
  words: string;
}

/** The frontends of all environments; each is read once, and again where another Streamlit was installed in its place. */
export class Frontends {
  readonly #byEnvironment = new Map<string, Promise<Frontend | undefined>>();
  /** An environment that has the frontend of a key. */
  readonly #byKey = new Map<string, string>();
  readonly #keys: FrontendKeys;

  /** @param keys what names a frontend */
  constructor(keys: FrontendKeys) {
    this.#keys = keys;
  }

  /** The frontend of an environment; undefined where it has none that can be read. */
  async of(environment: string): Promise<Frontend | undefined> {
    let found = this.#byEnvironment.get(environment);
    // The environment of an app in place is its owner's: after an upgrade, the scripts that the old page names are gone.
    if (found !== undefined && (await isOutdated(await found))) found = undefined;
    if (found === undefined) {
      found = readFrontend(environment, this.#keys);
      this.#byEnvironment.set(environment, found);
    }
    const frontend = await found;
    // It may be made later, under the same name.
    if (frontend === undefined) this.#byEnvironment.delete(environment);
    else this.#byKey.set(frontend.key, environment);
    return frontend;
  }

  /**
   * The frontend that an address names, where one of these environments has it.
   * @param without folders in which it was looked for in vain
   */
  async find(
    key: string,
    environments: ReadonlySet<string>,
    without: ReadonlySet<string> = new Set(),
  ): Promise<Frontend | undefined> {
    // What an app that is gone has brought is served no more.
    const known = this.#byKey.get(key);
    for (const environment of known !== undefined && environments.has(known)
      ? [known, ...environments]
      : environments) {
      const frontend = await this.of(environment);
      if (frontend?.key === key && !without.has(frontend.folder)) return frontend;
    }
    return undefined;
  }

  /** Has a frontend read again, one of whose files is not what its key was made of any more. */
  forget({ folder }: Frontend): void {
    for (const environment of this.#byEnvironment.keys())
      if (folder.startsWith(`${environment}/`)) this.#byEnvironment.delete(environment);
  }
}

/**
 * The page of an app, bound to one process: everything that this tab asks its server for goes to `/~<release>`, or to
 * `/~<release>-<replica>` where it is another replica than the first, and the files that all apps with the same Streamlit
 * share come from one address that a browser may keep for ever.
 */
export function bindPage(binding: PageBinding): string {
  const { frontend, basePath, app, name, pin, stay } = binding;
  const bound = pinText(pin);
  const appPath = `${basePath}/apps/${app}`;
  const script = [
    '<script>',
    '(() => {',
    `const app = location.origin + ${JSON.stringify(appPath)};`,
    `const release = app + "/~${bound}";`,
    'window.__streamlit = { BACKEND_BASE_URL: release, DOWNLOAD_ASSETS_BASE_URL: release, MAIN_PAGE_BASE_URL: app,',
    'HOST_CONFIG: { allowedOrigins: [location.origin], useExternalAuthToken: false, enableCustomParentMessages: false } };',
    '})();',
    '</script>',
    `<script data-app="${appPath}" data-release="${bound}">${stay}</script>`,
    ...(binding.module === undefined
      ? []
      : [
          `<script type="module" src="${binding.module}" data-app="${appPath}" data-release="${pin.release}" data-name="${escapeHtml(name)}" data-gallery="${basePath}/" data-words="${escapeHtml(binding.words)}"></script>`,
        ]),
  ].join('\n');
  return frontend.html
    .replace(/(href|src)="\.\/static\//g, `$1="${basePath}/_streamlit/${frontend.key}/static/`)
    .replace(/(href|src)="\.\//g, `$1="${appPath}/`)
    .replace(/<head>/, () => `<head>\n${script}`);
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

async function readFrontend(environment: string, keys: FrontendKeys): Promise<Frontend | undefined> {
  for (const python of await names(join(environment, 'lib'))) {
    const packages = join(environment, 'lib', python, 'site-packages');
    const folder = join(packages, 'streamlit', 'static');
    // Before the page is read: one that is replaced meanwhile is read again.
    const stamp = await stampOf(folder);
    const html = (await readFrontendFile(folder, 'index.html'))?.toString();
    if (html === undefined) continue; // Not this one.
    const version = (await versionIn(packages)).replace(/[^0-9A-Za-z.+-]/g, '');
    const { key, hashes } = await keys.of(folder);
    const pins = await readsBinding(join(folder, 'static', 'js'));
    return { key: `${version.slice(0, MAX_VERSION)}-${key}`, folder, hashes, html, pins, stamp };
  }
  return undefined;
}

/** The version of the package that has brought Streamlit, such as `streamlit` or `streamlit-nightly`; "0" where none says so. */
async function versionIn(packages: string): Promise<string> {
  for (const name of await names(packages)) {
    const version = /^streamlit(?:_\w+)?-([0-9][^/]*)\.dist-info$/.exec(name)?.[1];
    // Most packages that are called like this are components (https://packaging.python.org/en/latest/specifications/recording-installed-packages/).
    const isItself = async (): Promise<boolean> =>
      name.startsWith('streamlit-') ||
      /^streamlit\/static\/index\.html,/m.test(await readFile(join(packages, name, 'RECORD'), 'utf8').catch(() => ''));
    if (version !== undefined && (await isItself())) return version;
  }
  return '0';
}

async function isOutdated(frontend: Frontend | undefined): Promise<boolean> {
  return frontend !== undefined && (await stampOf(frontend.folder)) !== frontend.stamp;
}

/** What changes with the page whenever an installer replaces it. */
async function stampOf(folder: string): Promise<string> {
  const facts = await stat(join(folder, 'index.html')).catch(() => undefined); // It is being replaced just now.
  return facts === undefined ? '' : `${facts.ino} ${facts.mtimeMs}`;
}

/** Whether the scripts know the variables that bind a page: asked of the scripts themselves, not of a list of versions. */
async function readsBinding(scripts: string): Promise<boolean> {
  const entries = (await names(scripts)).filter((name) => /^(index|main)\..*js$/.test(name));
  for (const name of entries) {
    const text = (await readFrontendFile(scripts, name))?.toString() ?? '';
    if (text.includes('BACKEND_BASE_URL') && text.includes('MAIN_PAGE_BASE_URL')) return true;
  }
  return false;
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []); // A folder that is not there holds nothing.
}
