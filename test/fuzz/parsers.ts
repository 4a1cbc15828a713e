import { isDeepStrictEqual } from 'node:util';
import { isIP } from 'node:net';
import { validateHeaderValue } from 'node:http';
import { emailOf, parseEmail } from '../../src/domain/access/email.js';
import { parseGroups, parsePersonName } from '../../src/domain/access/account.js';
import { identityHeaders } from '../../src/domain/access/identity.js';
import { parsePasskeyName } from '../../src/domain/access/second-factor.js';
import { parseTokenName } from '../../src/domain/access/tokens.js';
import { personIn } from '../../src/domain/access/proxy-login.js';
import { networkOf, TrustedProxies } from '../../src/domain/access/visitor.js';
import { APP_ID } from '../../src/domain/app/app.js';
import { previewId } from '../../src/domain/app/preview.js';
import { isPathWithin, listOf, plainPath } from '../../src/domain/project/layout.js';
import { missingModule, namesPackage, packageOf } from '../../src/domain/streamlit/missing-module.js';
import { beyond, chosen, optionsIn, optionVariables } from '../../src/domain/streamlit/options.js';
import { placeOf } from '../../src/web/login.js';
import { appsBaseFor, nameOf } from '../../src/domain/access/origins.js';
import { tokenOf } from '../../src/domain/access/principal.js';
import { dashed, idFromName, parseAppId, parseNewAppId, printable } from '../../src/domain/app/app.js';
import { parsePushOptions, parseUpdate } from '../../src/domain/app/push.js';
import { parsePin, pinText } from '../../src/domain/app/pin.js';
import {
  isAgentApi,
  isOwnOrigin,
  isPrivate,
  parseRoute,
  parseWhole,
  plainRest,
  withoutBase,
} from '../../src/domain/app/route.js';
import { isHeartbeat } from '../../src/domain/app/sleep.js';
import { splitTags, tagsSchema } from '../../src/domain/app/tags.js';
import { parseEnvFile } from '../../src/domain/config/env-file.js';
import {
  checkSecrets,
  SECRETS_BYTES,
  secretNames,
  secretsFile,
  secretTexts,
  secretValues,
} from '../../src/domain/config/secrets.js';
import { checkVars, mergeVars } from '../../src/domain/config/vars.js';
import { redirectOf } from '../../src/domain/in-place/extra-paths.js';
import { parseAppFile } from '../../src/domain/project/app-file.js';
import { chooseEntrypoint } from '../../src/domain/project/entrypoint.js';
import { hints, keysInCode } from '../../src/domain/project/hints.js';
import { Links } from '../../src/domain/project/links.js';
import { parsePackages } from '../../src/domain/project/packages-txt.js';
import { blobsToRead, inspectTree, parseBlobs, parseTree } from '../../src/domain/project/tree.js';
import { chooseDependencies } from '../../src/domain/python/dependencies.js';
import { keptOf, lockedRequirements, lockLines, parseMetadata } from '../../src/domain/python/lock.js';
import { parsePythonWish, readPythonVersionFile } from '../../src/domain/python/python-version.js';
import { readRequirements } from '../../src/domain/python/requirements.js';
import { scriptBlock } from '../../src/domain/python/script-block.js';
import { fromPoetry, satisfies } from '../../src/domain/python/specifier.js';
import { hear } from '../../src/domain/streamlit/page-run.js';
import { mayExit } from '../../src/domain/streamlit/script-exit.js';
import { shortenTracebacks } from '../../src/domain/streamlit/traceback.js';
import { pathOf } from '../../src/environments/local-parts.js';
import { reasonFrom } from '../../src/environments/reasons.js';
import { pinFromCookie } from '../../src/gateway/pages.js';
import { cleanRequest, cleanResponse, forApp, scopeCookie } from '../../src/gateway/headers.js';
import { isOurHost } from '../../src/gateway/hosts.js';
import { Announcement } from '../../src/git/announcement.js';
import { harmless } from '../../src/git/harmless.js';
import { FLUSH, pkt, PktReader } from '../../src/git/pkt.js';
import { maskUrls } from '../../src/lib/mask-urls.js';
import { LineSplitter, plainLine } from '../../src/logs/lines.js';
import { createMask } from '../../src/logs/mask.js';
import { bodies, conditions, parseInput, queries, resume } from '../../src/web/api/schemas.js';
import { sessionsIn } from '../../src/web/session-cookie.js';
import { textOf } from '../../src/web/body.js';
import { formToken } from '../../src/web/form-token.js';
import { isLeftOut } from '../../src/lib/left-out.js';
import { checkTree, safePath, withoutTopFolder } from '../../src/web/upload/path.js';
import { KIB, MIB, type Parser } from './parser.js';
import { SERVICES } from './services.js';

const SHA = 'a1'.repeat(20);

/** What the reader's thread may be given for five seconds. */
const IN_THREAD = 5_000;

const LIMITS = { uploadMb: 200, messageMb: 200 };
const PROXIES = new TrustedProxies(['127.0.0.1', '10.0.0.0/8', 'fd00::/8']);

const dependencies =
  (file: string, beside: Record<string, string> = {}) =>
  (text: string): unknown => {
    const files: Record<string, string> = { ...beside, [file]: readRequirements(Buffer.from(text), file) };
    return chooseDependencies(
      { has: (name) => Object.hasOwn(files, name), text: (name) => files[name] ?? '' },
      { file, where: 'streamlit-host.toml' },
    );
  };

const TOML = [
  '=',
  ' = ',
  '"',
  '"""',
  "'''",
  '[',
  ']',
  '[[',
  ']]',
  '\n',
  '.',
  ',',
  '{',
  '}',
  '#',
  'true',
  '1',
  '1979-05-27',
  '\\u0041',
];
const VERSIONS = [
  '==',
  '>=',
  '~=',
  '<',
  '!=',
  '^',
  '~',
  '*',
  '1',
  '3.12',
  '1.2.3',
  '.post1',
  'rc1',
  '.dev0',
  '+local',
  '!',
  ',',
  '||',
  ' ',
];
const WORDS = [
  'streamlit',
  'name',
  'version',
  'dependencies',
  'project',
  'tool',
  'poetry',
  'packages',
  'python',
  'requires-python',
];

const files: Record<string, Parser> = {
  'streamlit-host.toml': {
    read: parseAppFile,
    tokens: [
      ...TOML,
      'main',
      'python',
      'dependencies',
      'memory_mb',
      'check',
      'script',
      'timeout_s',
      'drain',
      'description',
      'tags',
      'app.py',
    ],
    samples: [
      'main = "app.py"\npython = "3.12"\n[check]\nscript = "all-pages"\ntimeout_s = 5\n',
      'tags = ["a", "b"]\nhidden = true\n[memory]\nlimit_mb = 512\n',
    ],
    limit: 64 * KIB,
    deadlineMs: IN_THREAD,
  },
  '.python-version': {
    read: (text) => [
      readPythonVersionFile('.python-version', text),
      readPythonVersionFile('runtime.txt', text),
      parsePythonWish('x', text.replace(/^#.*\n/, '').slice(0, 8 * KIB)),
    ],
    tokens: [...VERSIONS, 'python-', 'cpython', 'pypy', '\n', '#'],
    samples: ['3.12.1\n', 'python-3.11', '>=3.10,<3.13', '# x\n3.12\n'],
    limit: 64 * KIB,
  },
  'requirements.txt': {
    read: dependencies('requirements.txt'),
    tokens: [
      ...VERSIONS,
      ...WORDS,
      '-r ',
      '-c ',
      '-e ',
      '--hash=sha256:',
      '--index-url ',
      ' @ ',
      'https://',
      'git+',
      'file:',
      '[x]',
      ';',
      '\\\n',
      '\n',
      '#',
      '${A}',
    ],
    samples: [
      'streamlit==1.50\npandas>=2 ; python_version < "4"\n-r more.txt\n',
      'a @ https://x/y.whl --hash=sha256:aa\n',
    ],
    limit: MIB,
    deadlineMs: IN_THREAD,
  },
  'pyproject.toml': {
    read: dependencies('pyproject.toml'),
    tokens: [
      ...TOML,
      ...VERSIONS,
      ...WORDS,
      '[project]\n',
      '[tool.poetry.dependencies]\n',
      '[tool.uv]\n',
      'index',
      'extras',
      'markers',
      'git',
      'path',
    ],
    samples: [
      '[project]\nname = "a"\nrequires-python = ">=3.10"\ndependencies = ["streamlit>=1.40", "b[c]; os_name == \'x\'"]\n',
      '[tool.poetry.dependencies]\npython = "^3.11"\nstreamlit = { version = "^1.2", extras = ["x"], markers = "a" }\n',
    ],
    limit: MIB,
    deadlineMs: IN_THREAD,
  },
  'poetry.lock': {
    read: dependencies('poetry.lock', { 'pyproject.toml': '[tool.poetry.dependencies]\na="1"\nb="*"' }),
    tokens: [
      ...TOML,
      ...VERSIONS,
      ...WORDS,
      '[[package]]\n',
      '[metadata]\n',
      'groups',
      'main',
      'files',
      'hash',
      'markers',
      'optional',
    ],
    samples: [
      '[[package]]\nname = "a"\nversion = "1.0"\ngroups = ["main"]\n[package.dependencies]\nb = {version = "2", markers = "x"}\n[[package]]\nname="b"\nversion="2"\n[metadata]\npython-versions = ">=3.9"\n',
    ],
    limit: 16 * MIB,
    large: 1,
    deadlineMs: IN_THREAD,
  },
  'uv.lock': {
    read: dependencies('uv.lock', { 'pyproject.toml': '[project]\ndependencies=["streamlit"]' }),
    tokens: [...TOML, ...VERSIONS, ...WORDS, '[[package]]\n', 'source', 'registry', 'virtual', 'wheels'],
    samples: [
      'version = 1\nrequires-python = ">=3.10"\n[[package]]\nname = "streamlit"\nversion = "1.50"\nsource = { registry = "x" }\n',
    ],
    limit: 16 * MIB,
    large: 1,
    deadlineMs: IN_THREAD,
  },
  'uv.lock of a workspace': {
    read: (text) => {
      const texts: Record<string, string> = { 'uv.lock': text, 'pyproject.toml': '', 'libs/a/pyproject.toml': '' };
      const files = { has: (name: string) => Object.hasOwn(texts, name), text: (name: string) => texts[name] ?? '' };
      // A member is the folder of the main file, or one above it.
      const { member } = chooseDependencies(files, undefined, 'refused', ['libs/a', '']);
      return member === undefined || ['libs/a', 'libs'].includes(member.folder);
    },
    tokens: [
      ...[...TOML, ...VERSIONS, ...WORDS, '[manifest]\n', 'members', '[[package]]\n', 'source', 'editable', 'virtual'],
      ...['libs/a', 'libs', '.', '..', '/', 'a'],
    ],
    samples: [
      'version = 1\n[manifest]\nmembers = ["a", "top"]\n[[package]]\nname = "top"\nversion = "1"\nsource = { virtual = "." }\n' +
        '[[package]]\nname = "a"\nversion = "1"\nsource = { editable = "libs/a" }\n',
    ],
    limit: 16 * MIB,
    large: 1,
    deadlineMs: IN_THREAD,
  },
  'lines of requirements that name paths': {
    read: (text) => {
      const path = pathOf(text);
      return path === undefined || !(path.startsWith('/') || path.split('/').includes('..'));
    },
    tokens: ['-e ', './', '../', '/', '//', '.', '~', 'file:', 'a', ' @ ', '[x]', ' ;', '#', '%2e', '\\', '$A', 'C:'],
    samples: [
      '-e .',
      './libs/shop[x] ; python_version > "3"',
      'shop @ file:libs/shop',
      'wheels/a-1.0-py3-none-any.whl',
    ],
    limit: MIB,
  },
  Pipfile: {
    read: dependencies('Pipfile'),
    tokens: [
      ...TOML,
      ...VERSIONS,
      ...WORDS,
      '[packages]\n',
      '[requires]\n',
      '[[source]]\n',
      'url',
      'python_version',
      'ref',
      'git',
      'editable',
    ],
    samples: [
      '[[source]]\nurl = "https://x"\n[packages]\nstreamlit = "*"\na = {version = "==1", extras = ["b"]}\n[requires]\npython_version = "3.12"\n',
    ],
    limit: MIB,
    deadlineMs: IN_THREAD,
  },
  'Pipfile.lock': {
    read: dependencies('Pipfile.lock', { Pipfile: '[packages]\nstreamlit="*"' }),
    tokens: [
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      '"default"',
      '"hashes"',
      '"version"',
      '"_meta"',
      '"__proto__"',
      'null',
      '1',
      'true',
      '"streamlit"',
    ],
    samples: [
      '{"_meta":{"requires":{"python_version":"3.12"},"sources":[]},"default":{"streamlit":{"version":"==1.50","hashes":["sha256:a"]}}}',
    ],
    limit: 16 * MIB,
    large: 1,
    deadlineMs: IN_THREAD,
  },
  'metadata of installed packages': {
    read: (text) => {
      const [head = '', json = ''] = text.split('\0', 2);
      let origin: unknown = {};
      try {
        origin = json === '' ? undefined : JSON.parse(json);
      } catch {
        // As its reader takes it.
      }
      const { pinned, direct } = lockLines([{ ...parseMetadata(head), origin }]);
      lockedRequirements(keptOf([]), [...pinned, ...direct].join('\n'));
      // Each line says what to install, and nothing else.
      return [...pinned, ...direct].every((line) => /^[\w.-]+(==[\w.!+-]+| @ [a-z+]+:\/\/\S+)$/i.test(line));
    },
    tokens: [
      ...[
        'Metadata-Version: 2.1\n',
        'Name: ',
        'Version: ',
        '\n',
        '\r\n',
        ' ',
        'a',
        '1.0',
        '-r /x',
        '--index-url ',
        '\0',
      ],
      ...['{', '}', '"url":', '"https://u:p@x/a.zip"', '"vcs_info":', '"vcs":"git"', '"commit_id":', `"${SHA}"`, ','],
    ],
    samples: [
      'Metadata-Version: 2.1\nName: Six\nVersion: 1.17\n\nText\n',
      `Name: a\r\nVersion: 1\r\n\r\n\0{"url":"https://u:p@x/a.git","vcs_info":{"vcs":"git","commit_id":"${SHA}"}}`,
      'Name: a\nVersion: 1\n\0{"url":"https://x/a.whl","archive_info":{"hashes":{"sha256":"a"}},"subdirectory":"b"}',
    ],
    limit: 4 * MIB,
    large: 1,
  },
  'script block': {
    read: scriptBlock,
    tokens: [...TOML, '# /// script', '# ///', '#', '# ', '\n', '\r\n', 'dependencies = ["streamlit"]'],
    samples: ['# /// script\n# dependencies = ["streamlit"]\n# ///\n'],
    limit: MIB / 4,
    deadlineMs: IN_THREAD,
  },
  'environment.yml': {
    read: dependencies('environment.yml'),
    tokens: [
      ...VERSIONS,
      ...WORDS,
      ': ',
      '- ',
      '\n',
      '  ',
      '{',
      '}',
      '[',
      ']',
      '&a ',
      '*a',
      '<<',
      '!!',
      '|',
      '>',
      '---',
      '%YAML 1.2\n',
      '"',
      'pip:',
    ],
    samples: [
      'name: x\nchannels:\n  - conda-forge\ndependencies:\n  - python=3.12\n  - streamlit=1.50\n  - pip:\n      - a==1\n',
    ],
    limit: 64 * KIB,
    large: 2,
    deadlineMs: IN_THREAD,
  },
  'config.toml of Streamlit': {
    read: (text) => {
      const options = chosen(optionsIn([text, text]), { STREAMLIT_SERVER_MAX_UPLOAD_SIZE: text });
      beyond(options, LIMITS);
      return Object.values(optionVariables(options, LIMITS)).every((value) => !/[\0\n]/.test(value));
    },
    tokens: [...TOML, '[server]\n', '[client]\n', 'maxUploadSize', 'maxMessageSize', 'toolbarMode', '"viewer"', '200'],
    samples: ['[server]\nmaxUploadSize = 500\n[client]\ntoolbarMode = "developer"\n'],
    limit: 64 * KIB,
    deadlineMs: IN_THREAD,
  },
  'packages.txt': {
    read: parsePackages,
    tokens: ['libgl1', 'a', '\n', ' ', '#', '-', '.', '+', 'ffmpeg', '--option', ';'],
    samples: ['libgl1\n# x\nffmpeg\n'],
    limit: 64 * KIB,
  },
  'secrets.toml': {
    read: (text) => {
      checkSecrets(text);
      return [
        secretNames(text),
        secretTexts(text),
        secretValues(text),
        secretsFile(text, { redirectUri: '', cookieSecret: '' }),
      ];
    },
    tokens: [
      ...TOML,
      '[auth]\n',
      'redirect_uri',
      'cookie_secret',
      'key',
      '\r\n',
      '12:00:00',
      'inf',
      '0x1f',
      '1e5',
      '1_000',
    ],
    samples: [
      'key = "v"\n[auth]\nredirect_uri = "x"\n[a.b]\nc = [1, 2.0, {d = "e"}]\n',
      'a = """\nx\n"""\nb = 1979-05-27T07:32:00Z\n',
    ],
    limit: SECRETS_BYTES + KIB,
    deadlineMs: IN_THREAD,
  },
  '.env': {
    read: (text) => {
      const vars = parseEnvFile(text);
      checkVars(vars);
      return mergeVars(vars, { A: null });
    },
    tokens: ['A', '=', 'export ', '"', "'", '`', '\\', '\\n', '#', '\n', ' ', '$', 'PATH', 'STREAMLIT_HOST_X'],
    samples: ['A=1\nexport B="x\\ny"\nC=\'z\' # d\n', 'A="a\nb"\n'],
    limit: 512 * KIB,
  },
  'code of an app': {
    read: (text) => [hints(new Map([['app.py', keysInCode(text)]]), { vars: [], secretsToml: '' })],
    tokens: [
      'os.environ["',
      'st.secrets',
      '["a"]',
      '.a',
      '"',
      "'",
      '"""',
      '#',
      '\n',
      'sys.exit',
      '(',
      ')',
      'import sys',
      'from os import ',
      'getenv',
      '\\',
      'as e',
      'f"{',
    ],
    samples: [
      'import os, sys\nfrom streamlit import secrets as s\nx = os.environ["A"]\ny = s["b"]["c"]\nif x: sys.exit(1)\n',
    ],
    limit: 256 * KIB,
    deadlineMs: IN_THREAD,
  },
  'scripts that may exit': {
    read: (text) => [mayExit(text)],
    tokens: [
      'sys.exit',
      'exit',
      'quit',
      '(',
      'raise SystemExit',
      'raise ',
      '\r',
      '\n',
      '\u2028',
      '#',
      ' ',
      '.',
      'sys',
      '\t',
    ],
    samples: ['import sys\nif x: sys.exit(1)\n', 'raise SystemExit\r# exit()\n'],
    limit: MIB,
  },
  'tree of a commit': {
    read: (text) => {
      const entries = parseTree(Buffer.from(text));
      blobsToRead(entries);
      return inspectTree(entries, new Map([[SHA, Buffer.from('a')]]));
    },
    accepts: (error) => error instanceof Error && error.message.startsWith('not a line of git ls-tree'),
    tokens: [
      `100644 blob ${SHA}       1\t`,
      `120000 blob ${SHA}       1\t`,
      `160000 commit ${SHA}       -\t`,
      'app.py',
      'requirements.txt',
      'a/',
      '\0',
      '..',
    ],
    samples: [
      `100644 blob ${SHA}       9\tapp.py\x00100644 blob ${SHA}       9\trequirements.txt\x00120000 blob ${SHA}       1\tl\0`,
    ],
    limit: 4 * MIB,
    large: 1,
    deadlineMs: IN_THREAD,
  },
  'blobs of a commit': {
    read: (text) => parseBlobs(Buffer.from(text, 'latin1')),
    accepts: (error) => error instanceof Error && error.message.startsWith('git cat-file --batch: no blob'),
    tokens: [
      `${SHA} blob 1\n`,
      'a\n',
      `${SHA} missing\n`,
      `${SHA} blob 99999999999\n`,
      ' blob -1\n',
      ' blob 1e9\n',
      'x',
    ],
    samples: [`${SHA} blob 2\nab\n${SHA} blob 0\n\n`],
    limit: 4 * MIB,
    large: 1,
    deadlineMs: IN_THREAD,
  },
  'links of a project': {
    read: (text) => {
      const lines = text.split('\n').slice(0, 200);
      return new Links(new Map(lines.map((line, at) => [`${at % 3}/l${at}`, line.slice(0, 4_096)]))).outside();
    },
    tokens: ['../', 'a/', '0/l0', '1/l1', '2/l2', '/', '.', './', 'l3', '\n'],
    samples: ['../1/l1\n../2/l2\n../0/l0\n', 'a\n../a\n../../x\n'],
    limit: 256 * KIB,
    deadlineMs: IN_THREAD,
  },
  'names of files': {
    read: (text) => {
      const paths = text.split('\n').flatMap((name) => {
        const path = safePath(name, 'archive');
        return isLeftOut(path) ? [] : [path];
      });
      chooseEntrypoint(paths);
      chooseEntrypoint(paths, { file: 'app.py', where: 'streamlit-host.toml' });
      checkTree(withoutTopFolder(paths), 'archive');
      return !paths.some(
        (path) => path.split('/').some((part) => part === '..' || part === '') || /^\/|\\|\0/.test(path),
      );
    },
    tokens: ['a', '/', '..', '.', 'app.py', '__MACOSX/', '.git', '\\', 'c:', 'venv/', '\n', 'x/y', 'e\u0301', 'é'],
    samples: ['top/app.py\ntop/b/c.py', 'a\nb'],
    limit: 64 * KIB,
  },
};

const git: Record<string, Parser> = {
  'branches and paths of an app': {
    read: (text) => {
      const path = plainPath(text);
      listOf(path);
      const within = !isPathWithin(path) || !path.split('/').some((part) => ['', '..', '.git'].includes(part));
      return within && APP_ID.test(previewId('demo', text, () => false));
    },
    tokens: ['feature/', 'a', '/', './', '..', '.', '-', '.git', 'requirements.txt', 'é', ' '],
    samples: ['feature/x', './dash/app.py/', 'requirements/base.in'],
    limit: 64 * KIB,
  },
  'packets of a push': {
    read: (text) => {
      const bytes = Buffer.from(text, 'latin1');
      const announcement = new Announcement();
      const half = Math.floor(bytes.length / 2);
      announcement.read(bytes.subarray(0, half));
      announcement.read(bytes.subarray(half));
      return new PktReader().push(bytes);
    },
    accepts: (error) => error instanceof Error && error.message === 'not a pkt-line',
    tokens: [
      '0000',
      '0001',
      '0004',
      'ffff',
      '0032',
      '00',
      `${SHA} ${SHA} refs/heads/main`,
      '\0report-status',
      '\n',
      'PACK',
      'zzzz',
    ],
    samples: [`${pkt(`${SHA} ${SHA} refs/heads/main\0 side-band-64k`).toString('latin1')}${FLUSH.toString()}`],
    limit: 64 * KIB,
  },
  'refs and options of a push': {
    read: (text) => [text.split('\n').map(parseUpdate), parsePushOptions(text.split('\n'))],
    tokens: [SHA, ' ', 'refs/heads/', 'refs/tags/', 'main', '\n', '0'.repeat(40), 'drain=', 'nowait', '5'],
    samples: [`${SHA} ${SHA} refs/heads/main\n`, 'nowait\ndrain=5\n'],
    limit: 64 * KIB,
  },
  'lines for a terminal': {
    read: (text) => {
      const said = harmless(text);
      // eslint-disable-next-line no-control-regex -- they are what is looked for
      return !/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]/.test(said);
    },
    tokens: ['\x1b[2J', '\x07', '\x9b', '\n', '\t', 'a', '\x1b]0;x\x07'],
    samples: ['fix: a\x1b[31mred'],
    limit: 64 * KIB,
  },
};

const COOKIES = [
  'streamlit_host_session=',
  '__Host-',
  '__Host-Http-',
  '__Secure-',
  '; ',
  '=',
  'a=b',
  'Path=/',
  'Domain=x',
  'Path=/apps/demo/x',
  ',',
  '"',
];

const http: Record<string, Parser> = {
  'targets of requests': {
    read: (text) => {
      const target = parseWhole(text)?.url ?? text;
      const path = withoutBase(target, '/tools').split('?', 1)[0] ?? '';
      const route = parseRoute(path);
      redirectOf(path, [{ id: 'demo', path: '/sales/' }]);
      if (route.kind !== 'app') return true;
      const { pin } = route;
      if (pin !== undefined && !isDeepStrictEqual(parsePin(pinText(pin)), pin)) return false;
      return [isPrivate(route.rest), isAgentApi(route.rest), plainRest(route.rest)].length === 3;
    },
    tokens: [
      '/',
      '/apps/',
      '/apps/demo',
      '/~1',
      '/~1-2',
      '/~',
      '/git/',
      '/_streamlit/',
      '/tools',
      '?',
      '#',
      '%5f',
      '%2f',
      '_stcore',
      'http://',
      '//',
      '@',
      '/sales',
    ],
    samples: [
      '/tools/apps/demo/~12/_stcore/stream?x=1',
      'http://a@b:1/apps/demo/',
      '/_streamlit/1.50.0-abc/static/js/a.js',
      '/sales/map?x',
    ],
    limit: 64 * KIB,
  },
  'hosts and origins': {
    read: (text) => {
      const rule = { publicBase: 'https://apps.example.com/tools', bind: '0.0.0.0', named: ['a.example'] };
      isOurHost(text, rule);
      isOwnOrigin(text, text, rule.publicBase);
      appsBaseFor(text, 'http://a:1', 'http://a:2');
      const name = nameOf(text);
      return name === undefined || !/[\s/@\\]/.test(name);
    },
    tokens: [
      'http://',
      'https://',
      'localhost',
      '127.0.0.1',
      '[::1]',
      ':8080',
      ':',
      '.',
      '@',
      '/',
      'apps.example.com',
      'xn--',
    ],
    samples: ['apps.example.com:443', '[::1]:80', 'https://a.example'],
    limit: 64 * KIB,
  },
  'Cookie headers': {
    read: (text) => {
      const base = { path: '', host: 'x', https: true };
      sessionsIn(text, base);
      pinFromCookie({ headers: { cookie: text } } as never, 'demo');
      return !/(^|;)\s*(__Host-|__Host-Http-|__Secure-)?streamlit_host_session\s*=/.test(forApp(text) ?? '');
    },
    tokens: [...COOKIES, `streamlit_host_session=${'x'.repeat(43)}`, 'streamlit_host_release_demo=1'],
    samples: [`a=b; streamlit_host_session=${'x'.repeat(43)}; c=d`, 'streamlit_host_release_demo=12; a=b'],
    limit: 64 * KIB,
  },
  'Set-Cookie headers of apps': {
    read: (text) => {
      const scoped = scopeCookie(text, '/apps/demo');
      const headers = { 'set-cookie': [text], connection: text, 'x-a': text };
      cleanResponse(headers, '/apps/demo');
      // The last path counts, and there must be no domain.
      const attributes = scoped
        .split(';')
        .slice(1)
        .map((one) => one.trim());
      const paths = attributes
        .filter((one) => /^path\s*=/i.test(one))
        .map((one) => one.slice(one.indexOf('=') + 1).trim());
      const within = paths.length > 0 && paths.every((path) => path.startsWith('/apps/demo') && !path.includes('..'));
      return within && !attributes.some((one) => /^domain\s*(=|$)/i.test(one));
    },
    tokens: [...COOKIES, 'path', 'PATH = ', 'domain=', ' ; ', 'HttpOnly', 'SameSite=None', '..'],
    samples: ['a=b; Path=/; Domain=x; HttpOnly', 'a=b; path=/apps/demo/x; Path=/apps/demox'],
    limit: 16 * KIB,
  },
  'headers of requests': {
    read: (text) => {
      const headers: Record<string, string> = { host: 'x', connection: 'upgrade', upgrade: 'websocket' };
      for (const line of text.split('\n')) {
        const [name = '', value = ''] = line.split(':', 2);
        headers[name.toLowerCase()] = value;
      }
      cleanRequest({ headers } as never, { address: '1.2.3.4', proto: 'http', also: ['x-sso-*'] });
      return headers['x-forwarded-for'] === '1.2.3.4' && !Object.hasOwn(headers, 'x-email');
    },
    tokens: [
      'x-email',
      'x-sso-user',
      'x-forwarded-for',
      'connection',
      'cookie',
      'te',
      ':',
      '\n',
      'close',
      'keep-alive, x',
      'upgrade',
    ],
    samples: ['x-email: a\nconnection: x-forwarded-for, cookie\ncookie: a=b'],
    limit: 64 * KIB,
  },
  'addresses of visitors': {
    read: (text) => {
      const [forwarded = '', list = ''] = text.split('\n', 2);
      const socket = { remoteAddress: '127.0.0.1' } as never;
      const headers = { 'x-forwarded-for': list, ...(forwarded === '' ? {} : { forwarded }) };
      const { address } = PROXIES.visitor({ socket, headers });
      return isIP(address) !== 0 && /^[\d.]+$|^([0-9a-f]{1,4}:){4}:\/64$/.test(networkOf(address));
    },
    tokens: ['for=', 'proto=https', 'by=', ';', ',', '"', '[', ']', '::1', '10.0.0.1', '203.0.113.9', ':80', '\n', ' '],
    samples: ['for="[2001:db8::1]:4711";proto=https, for=10.0.0.2\n', '\n203.0.113.9, 10.0.0.1'],
    limit: 64 * KIB,
  },
  'whom the headers of a proxy name': {
    read: (text) => {
      const headers = { email: 'x-email', name: 'x-name', groups: 'x-groups' };
      const lines = text
        .split('\n')
        .flatMap((line) => line.split(/: ?/, 2))
        .slice(0, 2_000);
      const person = personIn(lines, { headers });
      return person === undefined || /^[\x21-\x7e]+@[\x21-\x7e]+$/.test(person.email ?? '');
    },
    tokens: [
      'X-Email',
      'x-email',
      'X-Name',
      'X-Groups',
      ': ',
      '\n',
      '@',
      'ada@example.com',
      ',',
      ';',
      '|',
      '\xc3\xa9',
      '\xff',
    ],
    samples: ['X-Email: ada@example.com\nX-Name: Ada\nX-Groups: sales, ops', 'X-Name: Ada\nx-email: a@b'],
    limit: 64 * KIB,
  },
  'where a login leads': {
    read: (text) => /^\/(?![/\\])/.test(placeOf(text, (app) => app === 'shop')),
    tokens: [
      '/console',
      '/apps/shop/',
      '/api/docs',
      '/',
      '//',
      '\\',
      '..',
      '%2e',
      '?',
      '#',
      'https:',
      'evil.example',
      '@',
      '\t',
    ],
    samples: ['/console/apps/x?tab=1', '/apps/shop/page?x=1'],
    limit: 64 * KIB,
  },
  'people, groups and tokens': {
    read: (text) => {
      const [email = '', name = '', groups = ''] = text.split('\n');
      emailOf(text);
      parseTokenName(name);
      if (parsePasskeyName(name) === '') return false;
      const identity = {
        id: 'a',
        email: parseEmail(email),
        name: parsePersonName(name),
        groups: parseGroups(groups.split(',')),
      };
      for (const [header, value] of Object.entries(identityHeaders(identity))) validateHeaderValue(header, value);
      return !/[\s,]/.test(identity.email) && identity.groups.every((group) => !/[\s,]/.test(group));
    },
    tokens: ['ada', '@', '.', '-', 'example.com', '\n', 'Ada Lovelace', ',', 'sales', 'group:', '+', '_', '\u212a'],
    samples: ['ada@example.com\nAda Løvelace\nsales,north', "o'x+y@a-b.example\nlaptop\na:b/c@d"],
    limit: 64 * KIB,
  },
  'Authorization headers': {
    read: tokenOf,
    tokens: ['Bearer ', 'Basic ', 'eDp0b2tlbg==', 'a', ':', '=', ' ', '\t'],
    samples: ['Bearer abc', 'Basic eDp0b2tlbg=='],
    limit: 64 * KIB,
  },
  'JSON bodies of the API': {
    read: (text) => {
      const value: unknown = JSON.parse(textOf(Buffer.from(text)));
      for (const schema of Object.values(bodies)) {
        try {
          parseInput(schema, value);
        } catch (error) {
          if (!(error instanceof Error) || error.name !== 'Refusal') throw error;
        }
      }
      return true;
    },
    accepts: (error) => error instanceof SyntaxError,
    tokens: [
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      '"name"',
      '"id"',
      '"tags"',
      '"description"',
      '"path"',
      '"release"',
      '"__proto__"',
      'null',
      '1',
      'true',
      '1e400',
    ],
    samples: [
      '{"name":"A","id":"a","description":"x"}',
      '{"tags":["a","b"],"hidden":true}',
      '{"release":3}',
      '{"keep_apps":true}',
    ],
    limit: MIB,
    large: 2,
  },
  'queries and conditions of the API': {
    read: (text) => {
      const query: Record<string, unknown> = Object.fromEntries(new URLSearchParams(text));
      for (const schema of [...Object.values(queries), conditions, resume]) {
        try {
          parseInput(schema, query);
        } catch (error) {
          if (!(error instanceof Error) || error.name !== 'Refusal') throw error;
        }
      }
      return true;
    },
    tokens: [
      'source=',
      'run',
      'build',
      '&',
      'release=',
      'tail=',
      'page=',
      'per_page=',
      'q=',
      'sort=',
      '-name',
      '1',
      '%ff',
      '+',
      'If-Match=',
    ],
    samples: ['source=build&release=3&tail=20', 'page=2&per_page=10&sort=-name'],
    limit: 64 * KIB,
  },
  'ids, names and tags': {
    read: (text) => {
      printable(text);
      dashed(text);
      formToken('secret', text);
      tagsSchema.safeParse(splitTags(text));
      const id = idFromName(text);
      try {
        parseNewAppId(text);
      } catch (error) {
        if (!(error instanceof Error) || error.name !== 'Refusal') throw error;
      }
      parseAppId(text);
      return typeof id === 'string';
    },
    tokens: ['a', 'My App', '-', '_', 'console', 'git', 'preview', ',', 'é', '/', 'xn--'],
    samples: ['my-app', 'sales-north', 'one-two-three'],
    limit: 64 * KIB,
  },
  'frames of WebSockets': {
    read: (text) => [isHeartbeat(Buffer.from(text, 'latin1'))],
    tokens: ['\x89', '\x8a', '\x81', '\x00', '\xff', 'a'],
    samples: ['\x8a\x80abcd'],
    limit: 64 * KIB,
  },
};

const apps: Record<string, Parser> = {
  'lines that apps print': {
    read: (text) => {
      const splitter = new LineSplitter();
      splitter.push(Buffer.from(text, 'latin1'));
      const lines = text.split('\n').map(plainLine);
      const masked = createMask(['hunter2hunter2', 'a.b*c+secret'])(text);
      shortenTracebacks(lines, { source: ['/s'], environment: ['/e'], home: ['/h'] });
      maskUrls(text);
      reasonFrom(lines);
      return !masked.includes('hunter2hunter2');
    },
    tokens: [
      'Traceback (most recent call last):\n',
      '  File "/e/a.py", line 1, in x\n',
      '    y\n',
      '\x1b[31m',
      '\x1b]0;',
      '\x07',
      'https://a:b@c/',
      'hunter2hunter2',
      'hunter2',
      'Because a depends on b ',
      'ERROR: ',
      '\r',
    ],
    samples: [
      'Traceback (most recent call last):\n  File "/e/lib/python3.12/site-packages/a.py", line 1, in b\n    c\nValueError: hunter2hunter2\n',
    ],
    limit: 64 * KIB,
  },
  'messages of Streamlit': {
    read: (text) => hear(Buffer.from(text, 'latin1')),
    accepts: (error) => error instanceof RangeError && /outside|range/i.test(error.message),
    tokens: ['\x08', '\x01', '\x12', '\x0a', '\xff', '\x80', '\x7f', '\xba\x01', '\x2a', '\x32', 'main', '\x00'],
    samples: ['\x32\x02\x08\x01', '\xba\x01\x08\x12\x06\x0a\x01a\x12\x01b', '\x2a\x06\x1a\x04\x42\x02\x0a\x00'],
    limit: 256 * KIB,
  },
  'tracebacks of missing modules': {
    read: (text) => {
      const name = missingModule(text.split('\n'));
      return name === undefined || [packageOf(name), namesPackage(text, name)].length === 2;
    },
    tokens: ["ModuleNotFoundError: No module named '", 'Error', 'a.b', "'", '\n', ' ', 'cv2', '(', '_'],
    samples: ["Traceback:\nModuleNotFoundError: No module named 'cv2'"],
    limit: 64 * KIB,
  },
  'versions and conditions': {
    read: (text) => [fromPoetry(text), satisfies(text, '>=1'), satisfies('1.2', text)],
    tokens: VERSIONS,
    samples: ['^1.2', '>=1,<2 || ==3.*', '1.2.3rc1.post2.dev3+local.1'],
    limit: 8 * KIB,
  },
};

/** Everything that reads bytes which were pushed, uploaded, sent by HTTP or printed by an app, by what it reads. */
export const PARSERS: Record<string, Parser> = { ...files, ...git, ...http, ...apps, ...SERVICES };
