import type { Context } from './context.js';

/** Prints a link that logs a browser in once. */
export async function loginLink(cli: Context): Promise<void> {
  const api = await cli.api();
  const link = await api.post<{ url: string; expires_at: string }>('/login-links');
  if (cli.out.json) return cli.out.data(link);
  cli.out.print(link.url);
  cli.out.note('The link works once and expires in 15 minutes.');
}
