import { IDENTITY_HEADERS } from '../access/identity.js';
import { optionVariables, type AppOptions, type OptionLimits } from './options.js';

/** What a release's Streamlit server must know to be run by us. */
export interface StreamlitOptions {
  /** True where `st.user` is who the gateway says; not where others could send its headers, or the app has a login of its own. */
  identity: boolean;
  /** Its port on loopback; 0 where it is handed a socket. */
  port: number;
  /** The path that visitors see, without slashes at its ends: `apps/<id>`. */
  basePath: string;
  /** The host name and the port of the public base. */
  publicHost: string;
  publicPort: number;
  /** For how long (s) Streamlit keeps the state of a page that lost its connection. */
  disconnectedSessionTtl: number;
  /** What the app itself chooses, and the most that it may. */
  chosen: AppOptions;
  limits: OptionLimits;
  /** The host's own value, so that logins outlive a restart. */
  cookieSecret: string;
}

/**
 * The command that an app's process is started with: it reads on its stdin what to run.
 * @param launcher the place of `python/launch.py`
 */
export function launchCommand(python: string, launcher: string, app: string): string[] {
  return [python, launcher, app];
}

/** What it is told to run; also for `st.App` scripts, whose settings only the command line reads. */
export function streamlitCommand(entrypoint: string): string[] {
  return ['streamlit', 'run', `./${entrypoint}`];
}

/** An environment without the variables that Streamlit reads when it is told to run; all others are read as Python begins. */
export function readEarly(environment: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('STREAMLIT_')));
}

/**
 * True where config vars speak to Python or to the loader of programs: what those make of them as they begin, such as of
 * `PYTHONPATH=src`, depends on the folder in which they do.
 */
export function namesPlaces(vars: Readonly<Record<string, string>>): boolean {
  return Object.keys(vars).some((name) => /^(PYTHON|LD_)/.test(name));
}

/** True where a process that began with one environment can go on with the other, as if it had begun with it. */
export function canGoOnWith(
  begun: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): boolean {
  const early = readEarly(wanted);
  return [...new Set([...Object.keys(begun), ...Object.keys(early)])].every((name) => begun[name] === early[name]);
}

/**
 * Streamlit's settings as environment variables: they win over the app's own config.toml, an old Streamlit ignores those
 * that it does not know, where an unknown flag would end it, and secrets stay out of argv
 * (https://docs.streamlit.io/develop/api-reference/configuration/config.toml).
 */
export function streamlitEnvironment(options: StreamlitOptions): Record<string, string> {
  return {
    STREAMLIT_SERVER_ADDRESS: '127.0.0.1',
    STREAMLIT_SERVER_PORT: String(options.port),
    STREAMLIT_SERVER_HEADLESS: 'true',
    STREAMLIT_SERVER_BASE_URL_PATH: options.basePath,
    STREAMLIT_SERVER_FILE_WATCHER_TYPE: 'none',
    STREAMLIT_SERVER_RUN_ON_SAVE: 'false',
    STREAMLIT_SERVER_ENABLE_CORS: 'true',
    STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION: 'true',
    // An app's own config.toml could take any header for a visitor's identity; only ours are vouched for.
    STREAMLIT_SERVER_TRUSTED_USER_HEADERS: JSON.stringify(options.identity ? IDENTITY_HEADERS : {}),
    STREAMLIT_SERVER_COOKIE_SECRET: options.cookieSecret,
    STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL: String(options.disconnectedSessionTtl),
    STREAMLIT_SERVER_SCRIPT_HEALTH_CHECK_ENABLED: 'true',
    // Accepts the public origin before Streamlit asks the internet for its own address.
    STREAMLIT_BROWSER_SERVER_ADDRESS: options.publicHost,
    // What it names to others is the address for visitors, never its own port.
    STREAMLIT_BROWSER_SERVER_PORT: String(options.publicPort),
    ...optionVariables(options.chosen, options.limits),
    STREAMLIT_BROWSER_GATHER_USAGE_STATS: 'false',
    STREAMLIT_LOGGER_HIDE_WELCOME_MESSAGE: 'true',
    STREAMLIT_GLOBAL_DEVELOPMENT_MODE: 'false',
  };
}
