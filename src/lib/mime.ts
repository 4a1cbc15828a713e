import { lookup } from 'mrmime';

/** The media type of a file by its name, as a Content-Type header has it; undefined where the ending is unknown. */
export function contentType(name: string): string | undefined {
  // The one icon that mrmime does not list.
  const type = name.endsWith('.ico') ? 'image/x-icon' : lookup(name);
  return type?.startsWith('text/') === true ? `${type}; charset=utf-8` : type;
}
