import { parse as parseToml } from 'smol-toml';
import { z } from 'zod';

/** What Streamlit itself takes where an app says nothing, in MB. */
const USUAL_MB = 200;

const size = z.number().int().positive();
const toolbar = z.enum(['auto', 'developer', 'viewer', 'minimal']);

/** The options of Streamlit that an app chooses and the server would set otherwise. */
export const appOptionsSchema = z.object({
  /** `server.maxUploadSize`, in MB. */
  maxUploadMb: size.optional(),
  /** `server.maxMessageSize`, in MB. */
  maxMessageMb: size.optional(),
  /** `client.toolbarMode`. */
  toolbarMode: toolbar.optional(),
});

/** Streamlit options whose value is the app's own choice. */
export type AppOptions = z.infer<typeof appOptionsSchema>;

/** The most that an app may choose, in MB. */
export interface OptionLimits {
  uploadMb: number;
  messageMb: number;
}

const SIZES = [
  {
    key: 'maxUploadMb',
    option: 'server.maxUploadSize',
    variable: 'STREAMLIT_SERVER_MAX_UPLOAD_SIZE',
    most: 'uploadMb',
  },
  {
    key: 'maxMessageMb',
    option: 'server.maxMessageSize',
    variable: 'STREAMLIT_SERVER_MAX_MESSAGE_SIZE',
    most: 'messageMb',
  },
] as const;
const TOOLBAR = 'STREAMLIT_CLIENT_TOOLBAR_MODE';

/**
 * What an app's config.toml files choose; the later ones go first, as for Streamlit. What cannot be read chooses nothing:
 * Streamlit says why when it starts.
 */
export function optionsIn(files: readonly string[]): AppOptions {
  const tables = files.map(readToml);
  const last = (section: string, name: string): unknown =>
    tables.map((table) => tableOf(table[section])[name]).findLast((value) => value !== undefined);
  return valid({
    maxUploadMb: last('server', 'maxUploadSize'),
    maxMessageMb: last('server', 'maxMessageSize'),
    toolbarMode: last('client', 'toolbarMode'),
  });
}

/** What an app chooses: its config vars go before its files, as for Streamlit. */
export function chosen(files: AppOptions | undefined, vars: Readonly<Record<string, string>>): AppOptions {
  const number = (text: string | undefined): number | undefined =>
    text === undefined || !/^\d{1,9}$/.test(text.trim()) ? undefined : Number(text);
  const own = valid({
    maxUploadMb: number(vars.STREAMLIT_SERVER_MAX_UPLOAD_SIZE),
    maxMessageMb: number(vars.STREAMLIT_SERVER_MAX_MESSAGE_SIZE),
    toolbarMode: vars[TOOLBAR],
  });
  return { ...files, ...own };
}

/** The variables for what an app chooses, within the limits; visitors get no developer's menu unless it chooses one. */
export function optionVariables(options: AppOptions, limits: OptionLimits): Record<string, string> {
  const sizes = SIZES.map(({ key, variable, most }) => [
    variable,
    String(Math.min(options[key] ?? USUAL_MB, limits[most])),
  ]);
  return { ...Object.fromEntries(sizes), [TOOLBAR]: options.toolbarMode ?? 'viewer' } as Record<string, string>;
}

/** A sentence for each choice that goes beyond what the server allows. */
export function beyond(options: AppOptions, limits: OptionLimits): string[] {
  return SIZES.flatMap(({ key, option, most }) => {
    const wanted = options[key];
    if (wanted === undefined || wanted <= limits[most]) return [];
    return `${option} is ${wanted} MB, but this server allows ${limits[most]} MB. The app runs with ${limits[most]} MB.`;
  });
}

function valid(values: { [Key in keyof AppOptions]: unknown }): AppOptions {
  return Object.fromEntries(
    Object.entries(appOptionsSchema.shape).flatMap(([key, schema]) => {
      const value: unknown = values[key as keyof AppOptions];
      return value !== undefined && schema.safeParse(value).success ? [[key, value]] : [];
    }),
  );
}

function tableOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function readToml(text: string): Record<string, unknown> {
  try {
    return tableOf(parseToml(text.replace(/^\uFEFF/, '')));
  } catch {
    return {}; // Streamlit will say where it is wrong.
  }
}
