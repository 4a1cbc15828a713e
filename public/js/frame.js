// The bar above an app that leads back to the gallery. Loaded only if requested.

const HEIGHT = '44px';

/** Draws the bar and moves the app below it. @param forget called when the visitor closes it */
export function frame({ name, gallery, words, forget }) {
  const host = document.createElement('div');
  host.id = 'streamlit-host-frame';
  const root = host.attachShadow({ mode: 'open' });
  root.innerHTML = `
    <style>
      nav { position: fixed; z-index: 2147482000; inset: 0 0 auto; height: ${HEIGHT}; box-sizing: border-box; display: flex;
        align-items: center; gap: .25rem .75rem; padding: 0 .5rem 0 1rem; font: 15px/1.3 system-ui, sans-serif;
        color: #211f1b; background: #ffffff; border-bottom: 1px solid #e2ded6; }
      a { flex: none; display: inline-flex; align-items: center; gap: .35rem; color: #0b6070; text-underline-offset: .18em; }
      a:hover { color: #084a57; }
      svg { width: 1em; height: 1em; fill: none; stroke: currentColor; stroke-width: 1.5; stroke-linecap: round; stroke-linejoin: round; }
      span { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-weight: 600; }
      span::before { content: ''; display: inline-block; height: 1.1em; margin-right: .75rem; border-left: 1px solid #e2ded6; vertical-align: -.2em; }
      button { flex: none; width: 36px; height: 36px; display: grid; place-items: center; padding: 0; font: inherit; color: #5f5a51;
        background: none; border: 0; border-radius: .4rem; cursor: pointer; }
      button:hover { background: #f2f0eb; color: #211f1b; }
      :focus-visible { outline: 2px solid #0b6070; outline-offset: 2px; border-radius: 3px; }
      button:focus-visible { outline-offset: -3px; }
      @media (prefers-color-scheme: dark) {
        nav { color: #efece5; background: #21201d; border-color: #383530; }
        a, a:hover { color: #7fcad6; }
        span::before { border-color: #383530; }
        button { color: #b3ada1; }
        button:hover { background: #141311; color: #efece5; }
        :focus-visible { outline-color: #7fcad6; }
      }
      @media print { nav { display: none; } }
    </style>
    <nav aria-label="streamlit-host">
      <a><svg viewBox="0 0 16 16" aria-hidden="true"><path d="M9.5 3.5 5 8l4.5 4.5"/></svg></a>
      <span></span>
      <button type="button"><svg viewBox="0 0 16 16" aria-hidden="true"><path d="m4 4 8 8M12 4l-8 8"/></svg></button>
    </nav>`;
  const [back, close] = [root.querySelector('a'), root.querySelector('button')];
  back.href = gallery;
  back.append(words.allApps);
  close.ariaLabel = close.title = words.closeBar;
  root.querySelector('span').textContent = name;

  // Streamlit positions itself by the window's corners. A root that contains its layout takes the place of the window.
  const room = document.createElement('style');
  room.textContent = `@media screen { #root { position: fixed; inset: ${HEIGHT} 0 0; contain: layout; } }`;

  close.addEventListener('click', () => {
    forget();
    host.remove();
    room.remove();
  });
  document.head.append(room);
  // First in the document, so that it is first in the tab order.
  document.body.prepend(host);
}
