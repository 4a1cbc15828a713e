/** A text without what moves a terminal's cursor, rings its bell or writes its title: a commit's subject may hold that. */
export function harmless(text: string): string {
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, '');
}
