// Added to every page of an app: shows that a newer release is live, and lets the visitor choose when to switch. The page
// continues with the release that served it. It runs before Streamlit's own script, so that our parameters are removed from
// the URL before the app reads it.

const CHECK_MS = 20_000;

const script = document.querySelector('script[data-gallery]');
const app = script?.dataset.app ?? '';
const mine = Number(script?.dataset.release);
const words = JSON.parse(script?.dataset.words ?? '{}');
if (script !== null) framed(script.dataset);
let dismissed = mine;

/** `?frame=1` asks for a bar that leads back to the gallery; this tab remembers it for this app until the bar is closed. */
function framed({ app, name, gallery }) {
  const address = new URL(location.href);
  const said = address.searchParams.get('frame');
  // Any other value is the app's own.
  const asked = said === '0' || said === '1' ? said : null;
  const key = `streamlit-host frame ${app}`;
  let wanted = asked === '1';
  if (asked !== null) {
    address.searchParams.delete('frame');
    history.replaceState(history.state, '', address);
  }
  try {
    if (asked === '0') sessionStorage.removeItem(key);
    else if (wanted) sessionStorage.setItem(key, '1');
    wanted = sessionStorage.getItem(key) === '1';
  } catch {
    // This browser stores nothing for us: the bar stays until the page is left.
  }
  // A page that embeds the app has its own way back.
  if (!wanted || window.top !== window) return;
  const forget = () => {
    try {
      sessionStorage.removeItem(key);
    } catch {
      // Nothing was stored.
    }
  };
  import('./frame.js').then(({ frame }) => frame({ name, gallery, words, forget }));
}

async function check() {
  if (document.visibilityState !== 'visible') return;
  try {
    const answer = await fetch(`${app}/_host/live`, { headers: { accept: 'application/json' }, cache: 'no-store' });
    if (!answer.ok) return;
    const { live } = await answer.json();
    if (Number.isInteger(live) && live !== mine && live !== dismissed) show(live);
  } catch {
    // The network is down, which Streamlit's page shows; the next check will do.
  }
}

function show(live) {
  if (document.getElementById('streamlit-host-release') !== null) return;
  const host = document.createElement('div');
  host.id = 'streamlit-host-release';
  const root = host.attachShadow({ mode: 'open' });
  root.innerHTML = `
    <style>
      section { position: fixed; z-index: 2147483000; right: 1rem; bottom: 1rem; max-width: calc(100vw - 2rem); display: flex;
        flex-wrap: wrap; gap: .5rem .75rem; align-items: center; padding: .75rem 1rem; border-radius: .6rem;
        font: 15px/1.4 system-ui, sans-serif; color: #1d1c1a; background: #fffdf9; border: 1px solid #d8d4cc;
        box-shadow: 0 6px 24px rgb(0 0 0 / .16); }
      p { margin: 0; }
      button { font: inherit; padding: .35rem .8rem; border-radius: .4rem; border: 1px solid #8a867e; background: none;
        color: inherit; cursor: pointer; }
      button.reload { background: #0b5f6e; border-color: #0b5f6e; color: #fff; }
      button:focus-visible { outline: 3px solid #3aa6b9; outline-offset: 2px; }
      @media (prefers-color-scheme: dark) {
        section { color: #f1efea; background: #24231f; border-color: #47443d; }
        button.reload { background: #7fd3e0; border-color: #7fd3e0; color: #10292e; }
      }
    </style>
    <section role="status">
      <p></p>
      <button class="reload" type="button"></button>
      <button class="stay" type="button"></button>
    </section>`;
  root.querySelector('section').ariaLabel = words.newVersion;
  root.querySelector('p').textContent = words.available;
  root.querySelector('.reload').textContent = words.reload;
  root.querySelector('.stay').textContent = words.stay;
  root.querySelector('.reload').addEventListener('click', () => location.reload());
  root.querySelector('.stay').addEventListener('click', () => {
    dismissed = live;
    host.remove();
  });
  document.body.append(host);
}

/** Wakes a sleeping app when someone returns to its open tab; the page reconnects by itself. */
let told = 0;
function wake() {
  if (document.visibilityState !== 'visible' || Date.now() - told < 3_000) return;
  told = Date.now();
  // Without an answer the page shows that it is not connected, and the next interaction tries again.
  fetch(`${app}/_host/wake`, { method: 'POST' }).catch(() => (told = 0));
}

if (app !== '' && Number.isInteger(mine)) {
  for (const event of ['pointerdown', 'keydown'])
    document.addEventListener(event, wake, { capture: true, passive: true });
  document.addEventListener('visibilitychange', wake);
  setInterval(check, CHECK_MS);
  document.addEventListener('visibilitychange', check);
}
