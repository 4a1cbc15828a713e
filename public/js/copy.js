import { word } from './words.js';

/** Shows the copy buttons, which do nothing without JavaScript. */
export function copyButtons(root) {
  // The clipboard is only there on https and on localhost; elsewhere the text can still be selected by hand.
  if (navigator.clipboard === undefined) return;
  for (const button of root.querySelectorAll('button[data-copy]')) {
    button.hidden = false;
    button.addEventListener('click', () => void copy(button));
  }
}

async function copy(button) {
  const text = button.dataset.copy || button.parentElement.querySelector('pre')?.innerText || '';
  const label = button.querySelector('span');
  const before = label.dataset.before ?? label.textContent;
  label.dataset.before = before;
  try {
    await navigator.clipboard.writeText(text.trimEnd());
    label.textContent = word('copied');
  } catch {
    // The browser refused; the button says so.
    label.textContent = word('copyFailed');
  }
  setTimeout(() => (label.textContent = before), 2_000);
}
