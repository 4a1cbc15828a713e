/** Every address of the platform, all from the one public base. */
export interface Links {
  /** The public base without a trailing slash, such as `https://apps.example.com/tools`. */
  origin: string;
  /** Its path: "" or `/tools`. */
  base: string;
  app(id: string): string;
  git(id: string): string;
  console(path: string): string;
}

/** The addresses below a public base, such as `https://apps.example.com/tools/`. */
export function linksOf(publicBase: string): Links {
  const origin = publicBase.replace(/\/+$/, '');
  const base = new URL(origin).pathname.replace(/\/+$/, '');
  return {
    origin,
    base,
    app: (id) => `${origin}/apps/${id}/`,
    git: (id) => `${origin}/git/${id}.git`,
    console: (path) => `${base}/console/${path}`,
  };
}

/** A path for a URL: its "/" stay. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
