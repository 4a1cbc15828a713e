/** Returns the word closest to the typed one, if it is similar enough: one or two typos, or the same beginning. */
export function nearest(typed: string, words: readonly string[]): string | undefined {
  const wanted = typed.toLowerCase();
  const limit = Math.max(1, Math.min(3, Math.floor(wanted.length / 2)));
  let best: { word: string; distance: number } | undefined;
  for (const word of words) {
    const begins = wanted.length >= 2 && word.toLowerCase().startsWith(wanted);
    const distance = begins ? 0.5 : levenshtein(wanted, word.toLowerCase());
    if (distance <= limit && (best === undefined || distance < best.distance)) best = { word, distance };
  }
  return best?.word;
}

/** Returns the number of insertions, deletions and substitutions between two words. */
export function levenshtein(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, place) => place);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
