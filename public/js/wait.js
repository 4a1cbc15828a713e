// A page that is shown until an app can answer: asks every few seconds, and is replaced when the app is ready.

const wait = document.querySelector('meta[name="wait"]');
const seconds = Number(wait.content);
// What only the operator sees is in no answer to a script, so the page itself is opened again.
const reloads = 'reload' in wait.dataset;

async function look() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: 'text/html' }, cache: 'no-store' });
    // What stands before the server answers with the other two while that is away.
    if (reloads || ![502, 503, 504].includes(answer.status)) return location.reload();
    const fresh = new window.DOMParser().parseFromString(await answer.text(), 'text/html');
    const main = fresh.querySelector('main');
    if (main !== null && main.textContent !== document.querySelector('main').textContent) {
      document.title = fresh.title;
      document.querySelector('main').replaceWith(document.importNode(main, true));
    }
  } catch {
    // The server does not answer at the moment; it is asked again.
  }
  setTimeout(look, seconds * 1_000);
}

setTimeout(look, seconds * 1_000);
