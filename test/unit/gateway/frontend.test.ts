import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FrontendKeys } from '../../../src/gateway/frontend-keys.js';
import { writeFiles } from '../../helpers/files.js';
import { Frontends } from '../../../src/gateway/frontend.js';

let root: string;
beforeAll(async () => void (root = await mkdtemp(join(tmpdir(), 'frontend-'))));
afterAll(() => rm(root, { recursive: true, force: true }));

const keys = (): FrontendKeys => new FrontendKeys(join(root, 'keys'));
const script = (environment: string): string =>
  join(environment, 'lib/python3.12/site-packages/streamlit/static/static/js/index.abc.js');

/** An environment with Streamlit 1.67.0, whose page is always the same. @param js its only script */
async function environment(name: string, js: string): Promise<string> {
  const packages = join(root, name, 'lib/python3.12/site-packages');
  await mkdir(join(packages, 'streamlit/static/static/js'), { recursive: true });
  await mkdir(join(packages, 'streamlit-1.67.0.dist-info'));
  await writeFile(join(packages, 'streamlit/static/index.html'), '<head><script src="./static/js/index.abc.js">');
  await writeFile(script(join(root, name)), js);
  return join(root, name);
}

describe('the frontends of environments', () => {
  it('share a URL only if all their files are the same', async () => {
    const [one, same, other] = [
      await environment('one', 'a'),
      await environment('same', 'a'),
      await environment('other', 'b'),
    ];
    const frontends = new Frontends(keys());
    const key = (await frontends.of(one))?.key ?? '';
    expect(key).toMatch(/^1\.67\.0-[0-9a-f]{20}$/);
    expect((await frontends.of(same))?.key).toBe(key);
    const changed = (await frontends.of(other))?.key ?? '';
    expect(changed).not.toBe(key);
    const all = new Set([one, same, other]);
    expect((await frontends.find(key, all))?.key).toBe(key);
    expect((await frontends.find(changed, all))?.folder).toContain(other);
    // Its app is gone.
    expect(await frontends.find(changed, new Set([one, same]))).toBeUndefined();
    expect((await frontends.find(key, new Set([same])))?.folder).toContain(same);
  });

  it('are known by their version, whatever the package is called that brought them', async () => {
    const place = await environment('nightly', 'a');
    const packages = join(place, 'lib/python3.12/site-packages');
    await rm(join(packages, 'streamlit-1.67.0.dist-info'), { recursive: true });
    await writeFiles(packages, {
      'streamlit_component-9.0.0.dist-info/RECORD': 'streamlit_component/__init__.py,,\n',
      'streamlit_nightly-1.66.2.dev20261026.dist-info/RECORD': 'streamlit/static/index.html,sha256=x,1\n',
    });
    expect((await new Frontends(keys()).of(place))?.key).toMatch(/^1\.66\.2\.dev20261026-/);
  });

  it('get another key if a file changes while no server runs', async () => {
    const place = await environment('changed', 'a');
    const before = await new Frontends(keys()).of(place);
    expect((await new Frontends(keys()).of(place))?.key).toBe(before?.key);
    await appendFile(script(place), 'b');
    expect((await new Frontends(keys()).of(place))?.key).not.toBe(before?.key);
  });

  it('are read again, and found elsewhere, where an app has exchanged a file', async () => {
    const [mine, theirs] = [await environment('mine', 'a'), await environment('theirs', 'a')];
    const frontends = new Frontends(keys());
    const known = await frontends.of(mine);
    await writeFile(script(mine), 'evil');
    const both = new Set([mine, theirs]);
    // Only the page is looked at each time.
    expect(await frontends.find(known?.key ?? '', both)).toBe(known);
    expect((await frontends.find(known?.key ?? '', both, new Set([known?.folder ?? ''])))?.folder).toContain(theirs);
    if (known !== undefined) frontends.forget(known);
    expect((await frontends.of(mine))?.key).not.toBe(known?.key);
    expect((await frontends.find(known?.key ?? '', both))?.folder).toContain(theirs);
  });
});
