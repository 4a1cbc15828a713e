/** Names that keep their capital in the middle of a sentence. */
const NAMES = new Set(['Chromium', 'Debian', 'Docker', 'Pipfile', 'Poetry', 'Python', 'Redis', 'Streamlit']);

/**
 * Names as a list in a sentence: "a", "a and b", "a, b and c".
 * @param most names more than this are only counted: "a, b and 3 more"
 */
export function listed(names: readonly string[], most = Infinity): string {
  const last = names.length > most ? `${names.length - most} more` : names.at(-1);
  const shown = names.length > most ? names.slice(0, most) : names.slice(0, -1);
  return shown.length === 0 ? (last ?? '') : `${shown.join(', ')} and ${last}`;
}

/** A number with what it counts: "1 app", "3 apps". @param many the plural, where it is not formed with an "s" */
export function counted(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** Returns the text with its first letter as a capital. */
export function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Returns a sentence as a part of another one: without its capital, unless it is a name, and without its full stop. */
export function asClause(sentence: string): string {
  const [first = ''] = sentence.split(/[^\w.]/, 1);
  const lower = /^[A-Z][a-z]*$/.test(first) && !NAMES.has(first);
  const text = lower ? sentence.charAt(0).toLowerCase() + sentence.slice(1) : sentence;
  return text.replace(/\.$/, '');
}

/** Returns a clause as a sentence: with a capital, where it begins with a plain word, and with a full stop. */
export function asSentence(clause: string): string {
  const [first = ''] = clause.split(/\s/, 1);
  const text = /^[a-z][a-z']*[,:]?$/.test(first) ? capitalise(clause) : clause;
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}
