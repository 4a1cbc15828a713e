type Env = Record<string, string | undefined>;
type Say = (line: string) => void;

export interface ToolOptions {
  data: string;
  env: Env;
  say: Say;
  signal?: AbortSignal;
}

export class SetupError extends Error {}
export const ROOT: string;
export const PACKAGED: boolean;
export function dataFolder(env: Env, cwd?: string): string;
export function setUp(options?: {
  data?: string;
  env?: Env;
  say?: Say;
  tools?: boolean;
  built?: () => Promise<unknown>;
}): Promise<{ uv: string | undefined; redis: string | undefined }>;
export function ensurePackages(options: { root: string; env: Env; say: Say }): Promise<boolean>;
export function ensureBuild(options: { root: string; env: Env; say: Say }): Promise<boolean>;
export function buildModules(root: string, folder: string, names: string[]): Promise<void>;
export function ensureUv(options: ToolOptions): Promise<string | undefined>;
export function ensureRedis(options: ToolOptions): Promise<string | undefined>;
export function ensureValkey(options: ToolOptions): Promise<string>;
