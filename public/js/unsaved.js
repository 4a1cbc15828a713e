/**
 * Asks before a page is left with a text that was typed and not saved. What counts is what is stored, which the text on the page
 * is not after it was refused: the page has it in [data-stored] then, or [data-unsaved] where it does not show it.
 */
export function askBeforeLeaving(form) {
  const areas = [...form.querySelectorAll('textarea[name]')];
  const stored = (area) =>
    form.querySelector('[data-stored]')?.value ?? (form.dataset.unsaved === undefined ? area.defaultValue : '');
  let leaving = false;
  form.addEventListener('submit', () => (leaving = true));
  window.addEventListener('beforeunload', (event) => {
    if (!leaving && areas.some((area) => area.value !== stored(area))) event.preventDefault();
  });
}
