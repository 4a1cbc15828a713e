import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gatherRequirements, type Requirements } from '../../../src/environments/requirements.js';
import { writeFiles } from '../../helpers/files.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'requirements-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function gather(text: string, others: Record<string, string> = {}): Promise<Requirements> {
  await writeFiles(folder, others);
  return gatherRequirements('requirements.txt', text, folder);
}

describe('gatherRequirements', () => {
  it('is the same for files that mean the same', async () => {
    const plain = await gather('streamlit==1.64\nsix\n');
    const same = await gather('# ours\r\nstreamlit==1.64   # the newest\r\n\r\nsix');
    expect({ ...same, copies: plain.copies }).toEqual(plain);
    expect((await gather('streamlit==1.65\nsix\n')).normal).not.toBe(plain.normal);
  });

  it('includes other files relative to the including one', async () => {
    const files = { 'req/base.txt': '-c pins.txt\nStreamlit\n', 'req/pins.txt': 'six==1.17\n' };
    const before = await gather('-r req/base.txt\n', files);
    expect(before).toMatchObject({ lacksStreamlit: false, local: false });
    const after = await gather('-r req/base.txt\n', { ...files, 'req/pins.txt': 'six==1.16\n' });
    expect(after.normal).not.toBe(before.normal);
  });

  it('takes in what is included from a folder above, within the project', async () => {
    await writeFiles(folder, { 'base.txt': 'streamlit\n', 'dash/requirements.txt': '' });
    const found = await gatherRequirements('dash/requirements.txt', '-r ../base.txt\nsix\n', folder);
    expect([...found.copies.keys()]).toEqual(['dash/requirements.txt', 'base.txt']);
    const outside = gatherRequirements('dash/requirements.txt', '-r ../../base.txt\n', folder);
    await expect(outside).rejects.toMatchObject({ code: 'requirements-outside' });
    await expect(gather('-r ../base.txt\n')).rejects.toMatchObject({ code: 'requirements-outside' });
  });

  it('is the same for the same list in another folder', async () => {
    const below = await gatherRequirements('dash/requirements.txt', 'streamlit\n', folder);
    expect(below.normal).toBe((await gather('streamlit\n')).normal);
  });

  it('recognises that streamlit must be added', async () => {
    expect((await gather('six')).lacksStreamlit).toBe(true);
    expect((await gather('streamlit')).lacksStreamlit).toBe(false);
    expect((await gather('six==1.17.0 --hash=sha256:00')).lacksStreamlit).toBe(false);
  });

  it('adds streamlit if only constraints name it, which install nothing', async () => {
    const pins = { 'pins.txt': 'streamlit==1.64.0\nsix==1.17.0\n' };
    expect((await gather('-c pins.txt\nsix\n', pins)).lacksStreamlit).toBe(true);
    expect((await gather('--constraint=pins.txt\nsix\n', pins)).lacksStreamlit).toBe(true);
    expect((await gather('-c pins.txt\n-r pins.txt\n', pins)).lacksStreamlit).toBe(false);
  });

  it('recognises that the project itself is installed', async () => {
    expect((await gather('-r more.txt', { 'more.txt': '-e .' })).local).toBe(true);
  });

  it('ends if files include each other', async () => {
    expect((await gather('-r a.txt', { 'a.txt': '-r requirements.txt\nsix' })).normal).toContain('six');
  });

  it('refuses included files that are too large, one by one and in total', async () => {
    const mebibyte = '#\n'.repeat(512 * 1024);
    await expect(gather('-r a.txt', { 'a.txt': `${mebibyte}#` })).rejects.toMatchObject({
      code: 'requirements-unreadable',
      message: 'a.txt is larger than 1 MB, the limit for included files.',
    });
    const five = Array.from({ length: 5 }, (_, at) => `${at}.txt`);
    const all = five.map((name) => `-r ${name}`).join('\n');
    await expect(gather(all, Object.fromEntries(five.map((name) => [name, mebibyte])))).rejects.toMatchObject({
      code: 'requirements-unreadable',
      message: 'The files that requirements.txt includes are larger than 4 MB, the limit for included files.',
    });
  });

  it.each([
    ...['-r missing.txt', '-r req'],
    // What no file can be called.
    ...['-r a\0b', `-r ${'a'.repeat(300)}`, `-r ${'a/'.repeat(2_500)}a`],
  ])('refuses %s with a sentence', async (line) => {
    await mkdir(join(folder, 'req'));
    await expect(gather(line)).rejects.toMatchObject({
      code: 'requirements-missing',
      message: expect.stringContaining('requirements.txt includes') as string,
    });
  });

  it("refuses paths outside of the project, anywhere, unless the project is the operator's own", async () => {
    const files = { 'req/base.txt': '-e /srv/other\n' };
    await expect(gather('-r req/base.txt\n', files)).rejects.toMatchObject({
      code: 'requirements-outside',
      field: 'req/base.txt',
    });
    const own = await gatherRequirements('requirements.txt', '-r req/base.txt\n', folder, 'allowed');
    expect(own.local).toBe(true);
    await expect(gatherRequirements('requirements.txt', '-r ../x.txt\n', folder, 'allowed')).rejects.toMatchObject({
      code: 'requirements-missing',
    });
  });

  it('refuses a Streamlit that is too old, anywhere', async () => {
    await expect(gather('-r base.txt', { 'base.txt': 'streamlit==1.2' })).rejects.toMatchObject({
      code: 'streamlit-too-old',
      field: 'base.txt',
    });
  });

  it('writes a copy of each file for the installer', async () => {
    const { copies } = await gather('-r req/base.txt\n', { 'req/base.txt': 'six\n' });
    expect([...copies]).toEqual([
      ['requirements.txt', '--requirement req/base.txt\n'],
      ['req/base.txt', 'six\n'],
    ]);
  });

  it('gives an included file whose name must be quoted another one', async () => {
    const { copies, local } = await gather('-r "req/my base.txt"\n', {
      'req/my base.txt': '-r more.txt\n',
      'req/more.txt': '-e lib\n',
    });
    expect(local).toBe(true);
    expect([...copies]).toEqual([
      ['requirements.txt', '--requirement included-1.txt\n'],
      ['included-1.txt', '--requirement req/more.txt\n'],
      ['req/more.txt', './lib\n'],
    ]);
  });

  it('looks for a find-links folder next to the file, then in the project root', async () => {
    const files = { 'req/base.txt': '-f wheels\n-f more\n', 'req/wheels/a': '', 'more/b': '' };
    expect((await gather('-r req/base.txt\n', files)).wishes.folders).toEqual(['req/wheels', 'more']);
  });

  it('refuses an option that pip does not know, by its line', async () => {
    await expect(gather('six\n\n--no-such-option\n')).rejects.toMatchObject({
      code: 'requirements-unreadable',
      message:
        'Line 3 of requirements.txt contains "--no-such-option", which pip does not accept in requirements files. Remove it, or correct the line.',
    });
  });

  it('leaves URLs to the installer', async () => {
    expect((await gather('-r https://host/r.txt')).normal).toContain('https://host/r.txt');
  });
});
