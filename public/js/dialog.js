/**
 * Asks in a dialog what is asked on a separate page, or done at once, without JavaScript. The opener is a link or the button of
 * a form; in that case the dialog's form is sent to where that form would have been sent.
 */
export function dialogs(root) {
  for (const opener of root.querySelectorAll('[data-dialog]')) {
    const dialog = document.querySelector(opener.dataset.dialog);
    if (dialog === null) continue;
    if (opener.localName === 'a') actAsButton(opener);
    opener.addEventListener('click', (event) => {
      event.preventDefault();
      open(dialog, opener);
    });
    ready(dialog);
  }
}

function open(dialog, opener) {
  if (opener.form) dialog.querySelector('form').action = opener.form.action;
  for (const slot of dialog.querySelectorAll('[data-slot]')) {
    if (slot.localName === 'input') slot.value = opener.dataset.about;
    else slot.textContent = opener.dataset.about;
  }
  const field = dialog.querySelector('[data-confirm]');
  if (field !== null) {
    field.value = '';
    field.dispatchEvent(new window.Event('input'));
  }
  dialog.showModal();
  field?.focus();
}

/** Prepares a dialog once, since several openers may share it. */
function ready(dialog) {
  if (dialog.dataset.ready !== undefined) return;
  dialog.dataset.ready = '';
  dialog.querySelector('[data-dialog-close]').addEventListener('click', () => dialog.close());
  const field = dialog.querySelector('[data-confirm]');
  if (field === null) return;
  const button = dialog.querySelector('button:not([type="button"])');
  field.addEventListener('input', () => (button.disabled = field.value.trim() !== field.dataset.confirm));
}

function actAsButton(link) {
  link.setAttribute('role', 'button');
  link.addEventListener('keydown', (event) => {
    if (event.key !== ' ') return;
    event.preventDefault();
    link.click();
  });
}
