export function parseVersion(text: string): [number, number] | undefined;
export function isAtLeast(version: [number, number] | undefined, least: number[]): boolean;
export function checkVersions(env: Record<string, string | undefined>, node?: string): Promise<void>;
