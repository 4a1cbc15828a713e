import { describe, expect, it } from 'vitest';
import { newApp } from '../../../src/domain/app/app.js';
import type { AppStatus } from '../../../src/host/apps.js';
import { presentCard } from '../../../src/web/gallery.js';
import { linksOf } from '../../../src/web/links.js';

const links = linksOf('https://intranet.example/tools');
const app = { ...newApp('sales', 'Sales', new Date(), 'What was sold'), live: 1, tags: ['money', 'the north'] };
const status: AppStatus = { app, state: 'running', process: undefined };

describe('a card of the gallery', () => {
  it('links to the app, and by its tags to similar apps, keeping the search', () => {
    const card = presentCard(status, links, { tag: 'money', q: 'was SOLD' });
    expect(card).toMatchObject({ url: 'https://intranet.example/tools/apps/sales/', out: false, photo: undefined });
    expect(card.tags).toEqual([
      { name: 'money', href: '/tools/?tag=money&q=was+SOLD', current: true },
      { name: 'the north', href: '/tools/?tag=the+north&q=was+SOLD', current: false },
    ]);
  });

  it('is found by any words of its name, description and tags, if all match', () => {
    const out = (q: string): boolean => presentCard(status, links, { tag: '', q }).out;
    expect(['', 'sales', 'north sold', 'MONEY'].map(out)).toEqual([false, false, false, false]);
    expect(['bought', 'sales bought'].map(out)).toEqual([true, true]);
  });

  it('of a stopped app has no link, and its picture has a new URL after each capture', () => {
    const stopped = presentCard({ ...status, state: 'stopped' }, links, { tag: '', q: '' }, 'abc-1');
    expect(stopped).toMatchObject({ url: undefined, photo: '/tools/pictures/sales?v=abc-1' });
  });
});
