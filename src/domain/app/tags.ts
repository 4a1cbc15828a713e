import { z } from 'zod';

/** The most tags of one app, and the most characters of one tag. */
const MAX_TAGS = 8;
const MAX_LENGTH = 24;

const tag = z
  .string('must be a string')
  .overwrite((text) => text.trim().replace(/\s+/g, ' ').toLowerCase())
  .min(1, `must be 1 to ${MAX_LENGTH} characters long`)
  .max(MAX_LENGTH, `must be 1 to ${MAX_LENGTH} characters long`)
  // eslint-disable-next-line no-control-regex -- said in the document of the API too, whose readers know no classes of Unicode
  .regex(/^[^\u0000-\u001f\u007f-\u009f,]*$/, 'must not contain commas or control characters')
  .refine((text) => !/\p{Cs}/u.test(text), 'must be valid Unicode');

/** The words by which visitors find an app: lower-cased and trimmed, each once, in the order in which they were given. */
export const tagsSchema = z
  .array(tag, 'must be a list of strings, such as ["sales", "north"]')
  .overwrite((tags) => [...new Set(tags)])
  .max(MAX_TAGS, `must have at most ${MAX_TAGS} tags`);

/** What a person typed into one field, as tags: commas part them. */
export function splitTags(text: string): string[] {
  return text.split(',').filter((part) => part.trim() !== '');
}
