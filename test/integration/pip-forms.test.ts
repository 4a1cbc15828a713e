import { execFileSync } from 'node:child_process';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRequirements } from '../../src/domain/python/requirements.js';
import { gatherRequirements } from '../../src/environments/requirements.js';
import { writeFiles } from '../helpers/files.js';
import { knowsConfigSettings } from '../helpers/pip.js';

/** What pip's own parser makes of requirements files, one folder each. */
const PIP = `
import json, os, sys
from pip._internal.index.collector import LinkCollector
from pip._internal.index.package_finder import PackageFinder
from pip._internal.models.search_scope import SearchScope
from pip._internal.models.selection_prefs import SelectionPreferences
from pip._internal.network.session import PipSession
from pip._internal.req.req_file import parse_requirements

session = PipSession()

def read(folder):
    os.chdir(folder)
    session.pip_trusted_origins = []
    scope = SearchScope.create(find_links=[], index_urls=[], no_index=False)
    prefs = SelectionPreferences(allow_yanked=True)
    finder = PackageFinder.create(link_collector=LinkCollector(session, scope), selection_prefs=prefs)
    try:
        lines = [[' '.join(one.requirement.split()), one.is_editable, one.constraint, one.options or {}]
                 for one in parse_requirements('requirements.txt', session, finder=finder)]
    except Exception as error:
        return {'error': type(error).__name__}
    return {'lines': lines, 'indexes': finder.index_urls, 'links': [os.path.relpath(l) if os.path.exists(l) else l for l in finder.find_links],
            'noIndex': finder.search_scope.no_index, 'pre': finder.allow_all_prereleases,
            'trusted': [host for host, port in session.pip_trusted_origins]}

print(json.dumps([read(folder) for folder in json.load(sys.stdin)]))
`;

interface Read {
  error?: string;
  lines: [text: string, editable: boolean, constraint: boolean, options: Record<string, unknown>][];
  indexes: string[];
  links: string[];
  noIndex: boolean;
  pre: boolean;
  trusted: string[];
}

let folder: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'forms-')));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function pip(folders: string[]): Read[] {
  return JSON.parse(
    execFileSync('python3', ['-c', PIP], { input: JSON.stringify(folders), encoding: 'utf8' }),
  ) as Read[];
}

const INCLUDED = {
  'more.txt': 'seven\n',
  'my file.txt': 'eight\n',
  'req/base.txt': '-r ../more.txt\n-f wheels\n',
  'req/wheels/x': '',
  'wheels/x': '',
};

/** Lines whose meaning must be the same to pip and to us. */
const FORMS: (string | Buffer)[] = [
  Buffer.from('\ufeffsix\r\n', 'utf16le'),
  Buffer.from('# coding: latin1\nsix # \u00e9\n', 'latin1'),
  'six\n# why\nseven>=1,<2 # two\n\n',
  '\ufeffsix\r\nseven\r\n',
  'six \\\r\n  ==1.17 \\\r\n  --hash=sha256:aa \\\r\n  --hash sha256:bb\r\n',
  'stream\\\nlit\n',
  'six \\\n# ended\nseven\n',
  'six==1.0#not-a-comment\n',
  '-r more.txt\n-c more.txt\n',
  '-rmore.txt\n--requirement=more.txt\n--requirement more.txt # again\n',
  '-r "my file.txt"\n',
  "-r 'my file.txt'\n",
  '-r my\\ file.txt\n',
  '-r more.txt -c more.txt --pre\n',
  '-r req/base.txt\n-f wheels\n',
  '--find-links=wheels\n-f https://host/wheels\n',
  '-i https://a/simple --extra-index-url https://b/simple --trusted-host b\n',
  '--extra https://b/simple\n--extra-index-url=https://c/simple\nsix\n',
  '--pypi-url https://a/simple\n',
  '--no-index\n--index-url https://a/simple\n',
  '--pre\n--prefer-binary\nsix\n',
  '--pre seven\nsix\n',
  'six --pre\n',
  '--trusted-host a --trusted-host b:8080\n',
  'six ; python_version > "3" and sys_platform == \'linux\'\n',
  'six[a,b] >= 1 ; extra == "x"\n',
  'six @ https://host/six-1.0-py3-none-any.whl#sha256=aa\n',
  'git+https://host/x.git@main#egg=x&subdirectory=y\n',
  'https://${USER_OF}:${TOKEN}@host/x.zip\n',
  './lib\nlib/x-1.0-py3-none-any.whl\nfile:lib\n',
  'six --global-option="a b"\n',
  ...(knowsConfigSettings() ? ['six --config-settings="c=d"\n'] : []),
  '--require-hashes\nsix==1.0 --hash=sha256:aa\n',
  '--no-such-option\n',
  '--upgrade six\n',
  '--pr\n',
  '-r\n',
  '-r "more.txt\n',
  '-r missing.txt\n',
];

describe('a requirements file means to us what it means to pip', () => {
  it('in every form of it', async () => {
    const written = await Promise.all(
      FORMS.map(async (form, number) => {
        const [theirs, ours] = [join(folder, `${number}`), join(folder, `${number}-copy`)];
        await writeFiles(theirs, { ...INCLUDED, 'requirements.txt': form });
        try {
          const { copies, wishes } = await gatherRequirements(
            'requirements.txt',
            readRequirements(Buffer.from(form)),
            theirs,
          );
          await writeFiles(ours, Object.fromEntries(copies));
          return { theirs, ours, wishes };
        } catch {
          return { theirs, ours: undefined, wishes: undefined };
        }
      }),
    );
    const reads = pip(written.flatMap(({ theirs, ours }) => (ours === undefined ? [theirs] : [theirs, ours])));
    for (const [number, { ours, wishes }] of written.entries()) {
      const meant = reads.shift() as Read;
      const form = FORMS[number];
      expect({ form, refused: ours === undefined }).toEqual({ form, refused: meant.error !== undefined });
      if (wishes === undefined) continue;
      const copy = reads.shift() as Read;
      expect({
        form,
        ...copy,
        links: [...copy.links, ...wishes.folders].sort(),
        pre: wishes.prereleases,
        trusted: wishes.trustedHosts.map((host) => host.replace(/:\d+$/, '')),
      }).toEqual({ form, ...meant, links: meant.links.sort() });
      expect({ form, many: wishes.manyIndexes }).toEqual({ form, many: /--extra/.test(String(form)) });
    }
  });
});
