// Shows a visitor's favourites first. They are stored in this browser only.
import { base } from './page.js';

const KEY = `streamlit-host${base} favourites`;

/** Shows the stars and puts the favourites first; the others keep their order. */
export function favourites() {
  const list = document.querySelector('.cards');
  if (list === null || read() === undefined) return;
  const cards = [...list.children];
  const show = () => {
    const chosen = new Set(read());
    for (const card of cards)
      card.querySelector('[data-favourite]').setAttribute('aria-pressed', String(chosen.has(card.dataset.card)));
    const order = [
      ...cards.filter((card) => chosen.has(card.dataset.card)),
      ...cards.filter((card) => !chosen.has(card.dataset.card)),
    ];
    const focused = document.activeElement;
    if (order.some((card, place) => list.children[place] !== card)) list.replaceChildren(...order);
    if (list.contains(focused)) focused.focus();
  };
  for (const card of cards) {
    const star = card.querySelector('[data-favourite]');
    star.hidden = false;
    star.addEventListener('click', () => {
      toggle(card.dataset.card);
      show();
    });
  }
  window.addEventListener('storage', show);
  show();
}

function toggle(id) {
  const chosen = new Set(read());
  if (!chosen.delete(id)) chosen.add(id);
  localStorage.setItem(KEY, JSON.stringify([...chosen]));
}

/** Returns the ids, or undefined if this browser stores nothing for us. */
function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    // Apps share the storage of this origin, so it may contain anything.
    return Array.isArray(kept) ? kept.filter((id) => typeof id === 'string') : [];
  } catch (error) {
    return error instanceof SyntaxError ? [] : undefined;
  }
}
