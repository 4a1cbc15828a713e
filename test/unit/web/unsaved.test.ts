import { afterEach, expect, it, vi } from 'vitest';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

interface Shown {
  /** What is in the field when the page is shown. */
  shown: string;
  /** What is stored, where the page says so. */
  stored?: string;
  /** Whether the page says that what it shows was not saved. */
  unsaved?: boolean;
}

/** Loads the browser's script for a form. @returns what tells whether leaving the page with this text is asked about */
async function leave({ shown, stored, unsaved }: Shown): Promise<(text: string, submitted?: boolean) => boolean> {
  const area = { value: shown, defaultValue: shown };
  const heard: Record<string, (event: { preventDefault(): void }) => void> = {};
  vi.stubGlobal('window', { addEventListener: (name: string, hear: () => void) => (heard[name] = hear) });
  const form = {
    dataset: unsaved === true ? { unsaved: '' } : {},
    querySelectorAll: () => [area],
    querySelector: () => (stored === undefined ? null : { value: stored }),
    addEventListener: (name: string, hear: () => void) => (heard[name] = hear),
  };
  const path = '../../../public/js/unsaved.js';
  const { askBeforeLeaving } = (await import(path)) as { askBeforeLeaving: (form: unknown) => void };
  askBeforeLeaving(form);
  return (text, submitted = false) => {
    area.value = text;
    let asked = false;
    if (submitted) heard.submit?.({ preventDefault: () => undefined });
    heard.beforeunload?.({ preventDefault: () => (asked = true) });
    return asked;
  };
}

it('leaving is asked about once something was typed, and not when it is saved', async () => {
  const asks = await leave({ shown: 'stored' });
  expect([asks('stored'), asks('typed'), asks('typed', true)]).toEqual([false, true, false]);
});

it('leaving is asked about a text that was refused, although nothing more was typed', async () => {
  const asks = await leave({ shown: 'refused', stored: 'stored' });
  expect([asks('refused'), asks('stored')]).toEqual([true, false]);
});

it('leaving is asked about a text that was refused where the page does not show what is stored', async () => {
  const asks = await leave({ shown: 'refused', unsaved: true });
  expect([asks('refused'), asks('')]).toEqual([true, false]);
});
