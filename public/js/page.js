// What the page says of itself: where the platform lives, and the token that shows a request comes from its own pages.

const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? '';

export const base = meta('base');
export const csrf = meta('csrf');

/** The headers of every request that this page makes by itself. */
export const headers = { 'X-CSRF-Token': csrf, Accept: 'application/json' };

/** Calls `enhance` for the whole page now, and for every part of it that is exchanged later. */
export function onContent(enhance) {
  enhance(document);
  document.addEventListener('live:changed', (event) => enhance(event.target));
}

/**
 * Holds a connection while the page is seen. Over HTTP/1.1 a browser opens six to one server, for all of its tabs
 * together: tabs that nobody looks at must not use them up.
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
