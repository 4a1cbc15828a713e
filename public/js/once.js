/** For how long (ms) a form is taken to be on its way; a person who stays on the page may send it again after that. */
const ON_ITS_WAY_MS = 3_000;

/** A second click while the first one is on its way must not do the same thing twice, such as deploy. */
export function once() {
  const sent = new Set();
  document.addEventListener('submit', (event) => {
    const form = event.target;
    // Other modules may have taken it over: then nothing was sent.
    if (event.defaultPrevented || form.method !== 'post') return;
    if (sent.has(form)) return event.preventDefault();
    sent.add(form);
    setTimeout(() => sent.delete(form), ON_ITS_WAY_MS);
  });
}
