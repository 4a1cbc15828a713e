// The console without JavaScript works by links and forms; these modules make it better.
import { csrf, onContent } from './page.js';
import { remember, watch } from './live.js';
import { copyButtons } from './copy.js';
import { filters } from './filter.js';
import { dialogs } from './dialog.js';
import { once } from './once.js';
import { times } from './time.js';
import { logs } from './log.js';
import { uploads } from './upload.js';
import { passkeys } from './passkey.js';
import { askBeforeLeaving } from './unsaved.js';

document.documentElement.classList.add('js');
remember();
onContent(copyButtons);
onContent(filters);
onContent(dialogs);
onContent(times);
onContent(passkeys);
onContent(logs);
uploads();
once();
for (const form of document.querySelectorAll('form[data-no-js]')) form.hidden = true;
if (matchMedia('(min-width: 960px)').matches) {
  for (const details of document.querySelectorAll('[data-open-wide]')) details.open = true;
}
for (const form of document.querySelectorAll('form[data-editor]')) {
  import('./editor.js').then(
    ({ edit }) => edit(form),
    (error) => console.error(error),
  );
}
for (const form of document.querySelectorAll('form[data-typed]')) askBeforeLeaving(form);
for (const part of document.querySelectorAll('[data-plots]')) {
  import('./plots.js').then(
    ({ plots }) => plots(part),
    (error) => console.error(error),
  );
}
// On a narrow screen, the tabs scroll.
const tab = document.querySelector('.tabs [aria-current]');
if (tab !== null) {
  const tabs = tab.closest('.tabs');
  // Only the tabs: scrollIntoView would scroll the page, too.
  tabs.scrollLeft +=
    tab.getBoundingClientRect().left - tabs.getBoundingClientRect().left - (tabs.clientWidth - tab.offsetWidth) / 2;
}
if (csrf !== '') watch();
