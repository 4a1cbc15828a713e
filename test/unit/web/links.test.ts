import { describe, expect, it } from 'vitest';
import { encodePath, linksOf } from '../../../src/web/links.js';

const links = linksOf('https://intranet.example/tools/streamlit/');

describe('links', () => {
  it('start with the public URL, also if it has a path', () => {
    expect(links.base).toBe('/tools/streamlit');
    expect(links.app('hello')).toBe('https://intranet.example/tools/streamlit/apps/hello/');
    expect(links.git('hello')).toBe('https://intranet.example/tools/streamlit/git/hello.git');
    expect(links.console('apps/hello')).toBe('/tools/streamlit/console/apps/hello');
  });

  it('have an empty base if the public URL is only a host', () => {
    expect(linksOf('http://localhost:8080').base).toBe('');
    expect(linksOf('http://localhost:8080').console('')).toBe('/console/');
  });

  it('keep the slashes of a path and encode everything else', () => {
    expect(encodePath('pages/1 #?区.py')).toBe('pages/1%20%23%3F%E5%8C%BA.py');
  });
});
