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

/** The text with its first letter as a capital. */
export function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The text as a sentence: with a capital, and with something at its end. */
export function asSentence(text: string): string {
  return capitalise(/[.!?]$/.test(text) ? text : `${text}.`);
}
