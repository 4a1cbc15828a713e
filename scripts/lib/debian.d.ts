export function ensureDebianPackages(options: {
  env: Record<string, string | undefined>;
  say: (line: string) => void;
  root?: boolean;
}): Promise<string[]>;
