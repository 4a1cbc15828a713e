import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { takeOut } from '../../../src/environments/own-packages.js';
import { runCommand } from '../../../src/environments/run.js';
import { scratch } from '../../helpers/ends.js';

it.each(['src', 'données', '源码', '😀', 'a b'])(
  'the code of a package in the folder "%s" of a project is taken out, and Python imports the project’s own',
  async (folder) => {
    const work = await scratch('own-packages-');
    const [project, site] = [join(work, 'project'), join(work, 'environment/lib/python3/site-packages')];
    const write = async (path: string, text: string): Promise<void> => {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    };
    await write(join(project, folder, 'shop/prices.py'), 'price = 1\n');
    await write(join(site, 'shop/prices.py'), 'price = 1\n');
    await write(join(site, 'shop-1.dist-info/RECORD'), 'shop/prices.py,,\nshop-1.dist-info/RECORD,,\n');
    const origin = { url: pathToFileURL(project).href, dir_info: {} };
    await write(join(site, 'shop-1.dist-info/direct_url.json'), JSON.stringify(origin));
    const own = { built: project, source: project, folders: ['.'], within: '' };
    expect(await takeOut(join(work, 'environment'), own)).toEqual([folder]);
    expect((await readdir(site)).sort()).toEqual(['shop-1.dist-info', 'streamlit-host-own.pth']);
    // The next release has other code.
    await rm(join(project, folder, 'shop'), { recursive: true });
    await write(join(project, folder, 'shop/prices.py'), 'price = 2\n');
    const lines: string[] = [];
    await runCommand({
      argv: [
        'python3',
        '-c',
        'import site, sys; site.addsitedir(sys.argv[1]); import shop.prices as p; print(p.price)',
        site,
      ],
      cwd: work,
      env: { PATH: process.env.PATH ?? '', STREAMLIT_HOST_SOURCE: project },
      timeoutMs: 30_000,
      onLine: (line) => void lines.push(line),
    });
    expect(lines).toEqual(['2']);
  },
);
