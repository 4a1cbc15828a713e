/** Every address of the platform, all from the one public base. */
export interface Links {
  /** The public base without a trailing slash, such as `https://apps.example.com/tools`. */
  origin: string;
  /** Its path: "" or `/tools`. */
  base: string;
  app(id: string): string;
  git(id: string): string;
  console(path: string): string;
  /** The address of one of the platform's own pages, from a path below its base. */
  to(path: string): string;
}

/**
 * The addresses below a public base, such as `https://apps.example.com/tools/`.
 * @param app the address of an app, where apps are elsewhere
 */
export function linksOf(publicBase: string, app?: (id: string) => string): Links {
  const origin = publicBase.replace(/\/+$/, '');
  const base = new URL(origin).pathname.replace(/\/+$/, '');
  return {
    origin,
    base,
    app: app ?? ((id) => `${origin}/apps/${id}/`),
    git: (id) => `${origin}/git/${id}.git`,
    console: (path) => `${base}/console/${path}`,
    to: (path) => `${base}${path}`,
  };
}

/** The same links for a page at the apps' own origin, where a path alone would stay. */
export function fromElsewhere(links: Links): Links {
  return {
    ...links,
    console: (path) => `${links.origin}/console/${path}`,
    to: (path) => `${links.origin}${path}`,
  };
}

/** A path for a URL: its "/" stay. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
