/** How long (ms) a form counts as being sent; after that it can be sent again from the same page. */
const ON_ITS_WAY_MS = 3_000;

/** Prevents a second click from doing the same thing twice, such as a deploy. */
export function once() {
  const sent = new Set();
  document.addEventListener('submit', (event) => {
    const form = event.target;
    // Another module may have handled it: then nothing was sent.
    if (event.defaultPrevented || form.method !== 'post') return;
    if (sent.has(form)) return event.preventDefault();
    sent.add(form);
    setTimeout(() => sent.delete(form), ON_ITS_WAY_MS);
  });
}
