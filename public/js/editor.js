// A plain textarea over a coloured copy of its text, so that everything a browser can do with text still works.
import hljs from '../highlight/core.js';
import { askBeforeLeaving } from './unsaved.js';

/** Above this many characters, colours would be too slow. */
const COLOUR_LIMIT = 150_000;

export async function edit(form) {
  const area = form.querySelector('textarea');
  const layer = form.querySelector('[data-layer]');
  const box = area.parentElement;
  const language = form.dataset.editor;
  askBeforeLeaving(form);
  if (language !== '' && area.value.length <= COLOUR_LIMIT) {
    const { default: grammar } = await import(`../highlight/${language}.js`);
    hljs.registerLanguage(language, grammar);
    colour(area, layer, box, language);
  }
  keys(form, area);
  form.querySelector('[data-editor-keys]').hidden = false;
}

function colour(area, layer, box, language) {
  let planned = false;
  const paint = () => {
    planned = false;
    // highlight.js escapes what it is given; the last line gets its height from the line after it.
    layer.innerHTML = `${hljs.highlight(area.value, { language, ignoreIllegals: true }).value}\n`;
  };
  const plan = () => {
    if (planned) return;
    planned = true;
    requestAnimationFrame(paint);
  };
  const follow = () => (layer.style.transform = `translate(${-area.scrollLeft}px, ${-area.scrollTop}px)`);
  area.addEventListener('input', plan);
  area.addEventListener('scroll', follow, { passive: true });
  paint();
  follow();
  box.classList.add('coloured');
}

function keys(form, area) {
  // Escape gives the Tab key back once, so that the keyboard is not trapped in the field.
  let free = false;
  area.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      free = true;
    } else if (event.key === 'Tab' && !free && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      if (event.shiftKey) unindent(area);
      else insert(area, '    ');
    } else if (event.key !== 'Shift' && event.key !== 'Tab') {
      free = false;
    }
  });
  area.addEventListener('blur', () => (free = false));
  form.addEventListener('keydown', (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 's') return;
    event.preventDefault();
    form.requestSubmit();
  });
}

/** Inserts text as if it were typed, so that undo works. execCommand is deprecated, but still the only way. */
function insert(area, text) {
  if (!document.execCommand('insertText', false, text))
    area.setRangeText(text, area.selectionStart, area.selectionEnd, 'end');
}

function unindent(area) {
  const start = area.value.lastIndexOf('\n', area.selectionStart - 1) + 1;
  const spaces = /^ {1,4}/.exec(area.value.slice(start))?.[0].length ?? 0;
  if (spaces === 0) return;
  const at = area.selectionStart;
  area.setSelectionRange(start, start + spaces);
  document.execCommand('delete');
  area.setSelectionRange(Math.max(start, at - spaces), Math.max(start, at - spaces));
}
