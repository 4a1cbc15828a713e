import { readFile } from 'node:fs/promises';

/** What the map in docs/architecture.md says; undefined where it says something else than a list of rooms. */
export async function drawnTable(): Promise<Map<string, string[] | undefined>> {
  const text = await readFile(new URL('../../docs/architecture.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `src\/([\w-]+)` \|[^|]*\| ([^|]*) \|$/gm)];
  return new Map(
    rows.map(([, room = '', imports = '']) => {
      const list = imports === 'nothing' ? [] : imports.split(', ');
      return [room, list.every((one) => /^[\w-]+$/.test(one)) ? list : undefined];
    }),
  );
}
