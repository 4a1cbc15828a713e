// What the page knows about itself: the platform's base path, and the token that proves that a request comes from its pages.

export const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? '';

export const base = meta('base');
export const csrf = meta('csrf');

/** The headers of every request that this page's scripts make. */
export const headers = { 'X-CSRF-Token': csrf, Accept: 'application/json' };

/** Calls `enhance` for the whole page now, and for every part that is replaced later. */
export function onContent(enhance) {
  enhance(document);
  document.addEventListener('live:changed', (event) => enhance(event.target));
}

/**
 * Holds a connection while the page is visible. Over HTTP/1.1 a browser opens six to one server, for all tabs together, so
 * hidden tabs must not use them up.
 */
export function whileSeen(open, close, again = open) {
  let timer;
  let held = false;
  const look = () => {
    clearTimeout(timer);
    if (document.visibilityState === 'visible') {
      if (held) return;
      held = true;
      open();
    } else if (held) {
      timer = setTimeout(() => {
        held = false;
        close();
      }, 5_000);
    }
  };
  look();
  document.addEventListener('visibilitychange', () => {
    const was = held;
    look();
    if (!was && held && again !== open) again();
  });
  window.addEventListener('pagehide', () => {
    held = false;
    close();
  });
  window.addEventListener('pageshow', (event) => event.persisted && look());
}
