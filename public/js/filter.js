/** Fields that filter a list while you type. */
export function filters(root) {
  const inputs = new Set(root.querySelectorAll('input[data-filter]'));
  // A list that was replaced is filtered again by the field outside of it.
  for (const input of document.querySelectorAll('input[data-filter]')) inputs.add(input);
  for (const input of inputs) {
    apply(input);
    if (input.dataset.ready !== undefined) continue;
    input.dataset.ready = '';
    input.closest('[data-filter-box]').hidden = false;
    input.addEventListener('input', () => apply(input));
    input.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      input.value = '';
      apply(input);
    });
  }
}

function apply(input) {
  const words = input.value
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  let shown = 0;
  for (const item of document.querySelectorAll(input.dataset.filter)) {
    const text = item.dataset.search ?? item.textContent.toLowerCase();
    item.hidden = !words.every((word) => text.includes(word));
    if (!item.hidden) shown += 1;
  }
  const none = document.querySelector('[data-filter-none]');
  if (none !== null) none.hidden = shown > 0 || words.length === 0;
}
