import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bodyParser } from '@koa/bodyparser';
import fc from 'fast-check';
import Koa, { type Context } from 'koa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Refusal } from '../../src/errors.js';
import { localParts } from '../../src/environments/local-parts.js';
import { gatherRequirements } from '../../src/environments/requirements.js';
import { readForm } from '../../src/web/body.js';
import { unpack } from '../../src/web/upload/archive.js';
import { withUpload } from '../../src/web/upload/receive.js';
import { tarGzip, tarOf, zip } from '../unit/web/upload/archives.js';
import { inputsOf, type Grammar } from './inputs.js';

// What is read from a stream or with files beside it: archives, forms, requirements that include others. Several at once, since
// each waits for a disk, and in `npm test` a hundredth of what the other parsers get.

const COUNT = process.env.FUZZ_COUNT === undefined ? 20 : Number(process.env.FUZZ_COUNT);
/** How many inputs are tried at once. */
const AT_ONCE = 16;
/** How many are tried with one seed, so that what is left of them can be freed. */
const BATCH = 1_000;
const SEED = Number(process.env.FUZZ_SEED ?? 1);
/** How long an input may take (ms) beside all those that are tried at once, on a busy machine: it must end at all. */
const DEADLINE_MS = 120_000;

const koa = new Koa();

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'streamlit-host-fuzz-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Tries inputs. @param read fails with anything but a Refusal or an HTTP error of the client only where it is at fault */
async function fuzz(grammar: Grammar, read: (text: string) => Promise<unknown>): Promise<void> {
  const property = fc.asyncProperty(inputsOf(grammar), async (text) => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('it took too long')), DEADLINE_MS);
    });
    try {
      await Promise.race([read(text), late]);
    } catch (error) {
      if (!(error instanceof Refusal) && !isOfClient(error)) throw error;
    } finally {
      clearTimeout(timer);
    }
  });
  let next = 0;
  const work = async (): Promise<void> => {
    for (let begin = next; begin < COUNT; begin = next) {
      next += BATCH;
      await fc.assert(property, { seed: SEED + begin, numRuns: Math.min(BATCH, COUNT - begin) });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** As the error handler of the web server tells them: what a parser of forms says has a status or a class of its own. */
function isOfClient(error: unknown): boolean {
  const { status, name, code } = error as { status?: number; name?: string; code?: string };
  return (status !== undefined && status >= 400 && status < 500) || name === 'MulterError' || code === 'ECONNRESET';
}

/** A request with a body, as Koa has it. */
function requestWith(body: string, type: string): Context {
  const bytes = Buffer.from(body, 'latin1');
  const request = new IncomingMessage(new Socket());
  request.method = 'POST';
  request.headers = { 'content-type': type, 'content-length': String(bytes.length) };
  for (const part of [bytes.subarray(0, 7), bytes.subarray(7)]) if (part.length > 0) request.push(part);
  request.push(null);
  request.complete = true;
  return koa.createContext(request, new ServerResponse(request));
}

const multipart = (inner: string): string => `--b\r\n${inner}\r\n--b--\r\n`;
const FORM: Grammar = {
  tokens: [
    '--b\r\n',
    '--b--\r\n',
    '\r\n',
    '\r\n\r\n',
    'Content-Disposition: form-data; ',
    'name="a"',
    '; filename="x/app.py"',
    "filename*=UTF-8''%e4",
    'Content-Type: text/plain',
    'Content-Transfer-Encoding: base64',
    'csrf',
    'a[b][c]',
    'a[__proto__]',
  ],
  samples: [
    multipart('Content-Disposition: form-data; name="name"\r\n\r\nMy app'),
    multipart(
      'Content-Disposition: form-data; name="files"; filename="x/app.py"\r\nContent-Type: text/plain\r\n\r\nprint(1)',
    ),
  ],
  limit: 300_000,
};

it('uploaded forms are received or refused', { timeout: 0 }, async () => {
  const options = { tmp: join(folder, 'forms'), maxBytes: 200_000 };
  await fuzz(FORM, (text) =>
    withUpload(requestWith(text, 'multipart/form-data; boundary=b'), options, (upload) => {
      for (const { file } of upload.files) expect(file.startsWith(upload.folder)).toBe(true);
      return Promise.resolve();
    }),
  );
});

it('in-memory forms are read or refused', { timeout: 0 }, async () => {
  await fuzz(FORM, (text) => readForm(requestWith(text, 'multipart/form-data; boundary=b'), 256 * 1024));
});

it('forms without files are read or refused', { timeout: 0 }, async () => {
  const parse = bodyParser({ enableTypes: ['form', 'json'], formLimit: '16mb', jsonLimit: '16mb' });
  const grammar: Grammar = {
    tokens: ['a=', '&', 'csrf=', 'x', '%41', '%', '[', ']', '[]', '__proto__', 'a[b]=c', '+', '[0]', '[9999]', '.'],
    samples: ['csrf=a&name=b+c&tags=x%2Cy', 'a[b][c]=d&a[]=e'],
    limit: 1_000_000,
  };
  await fuzz(grammar, async (text) => {
    try {
      await parse(requestWith(text, 'application/x-www-form-urlencoded'), async () => undefined);
    } catch (error) {
      // As `readFields` of web/auth.ts takes them.
      if (!(error instanceof SyntaxError) && !(error instanceof RangeError)) throw error;
    }
  });
});

it('requirements and the files they include are read or refused', { timeout: 0 }, async () => {
  const project = join(folder, 'project');
  await rm(project, { recursive: true, force: true });
  await mkdir(join(project, 'sub'), { recursive: true });
  await writeFile(join(project, 'more.txt'), '-r sub/all.txt\npandas\n');
  await writeFile(join(project, 'sub/all.txt'), '-c ../more.txt\n-r ../requirements.txt\nnumpy==1\n');
  const grammar: Grammar = {
    tokens: [
      '-r ',
      '-c ',
      '--requirement=',
      'more.txt',
      'sub/all.txt',
      '../',
      './',
      '/',
      '\n',
      ' ',
      '-e .',
      'a==1',
      '\\\n',
      'https://x/',
      'sub',
    ],
    samples: ['-r more.txt\n-c sub/all.txt\nstreamlit\n', '-r sub/../more.txt\n'],
    limit: 1024 * 1024,
    large: 1,
  };
  await fuzz(grammar, (text) => gatherRequirements('requirements.txt', text, project));
});

it('folders that requirements install are told apart, whatever their settings say', { timeout: 0 }, async () => {
  const grammar: Grammar = {
    tokens: [
      ...['[build-system]\n', 'backend-path', '[project]\n', 'dynamic', 'version', '=', '[', ']', '"', ',', '\n', '\0'],
      ...['[metadata]\n', 'attr:', 'file:', ' = ', 'shop.__version__'],
    ],
    samples: [
      '[project]\nname = "shop"\ndynamic = ["version"]\n\0[metadata]\nversion = attr: shop.__version__\n',
      '[build-system]\nrequires = ["hatchling"]\nbackend-path = ["."]\n',
    ],
    limit: 1024 * 1024,
    large: 1,
  };
  let number = 0;
  await fuzz(grammar, async (text) => {
    const project = join(folder, `parts-${(number += 1)}`);
    const [pyproject = '', setup] = text.split('\0', 2);
    await mkdir(join(project, 'lib'), { recursive: true });
    try {
      await writeFile(join(project, 'lib/pyproject.toml'), pyproject);
      if (setup !== undefined) await writeFile(join(project, 'lib/setup.cfg'), setup);
      const parts = await localParts(
        ['-e ./lib', text.split('\n', 1)[0] ?? ''].slice(0, 1 + (number % 2)),
        [],
        project,
      );
      expect(parts === undefined || parts.folders.every((one) => !one.startsWith('..'))).toBe(true);
    } finally {
      await rm(project, { recursive: true, force: true });
    }
  });
});

it('archives are unpacked or refused, and write nothing elsewhere', { timeout: 0 }, async () => {
  const entries = [
    { name: 'top/app.py', content: 'print(1)\n' },
    { name: 'top/c.txt', content: 'c'.repeat(600) },
  ];
  const archives = [zip(entries), ...(await Promise.all([tarOf(entries), tarGzip(entries)]))];
  const grammar: Grammar = {
    tokens: [
      '../',
      'PK\x03\x04',
      'PK\x01\x02',
      'PK\x05\x06',
      'ustar',
      '\x1f\x8b',
      '0000644',
      '\xff\xff\xff\xff',
      'app.py',
      '5',
      '2',
      'x',
    ],
    samples: archives.map((bytes) => bytes.toString('latin1')),
    limit: 200_000,
  };
  let number = 0;
  await fuzz(grammar, async (text) => {
    const to = join(folder, `unpacked-${(number += 1)}`);
    const archive = `${to}.archive`;
    await writeFile(archive, Buffer.from(text, 'latin1'));
    try {
      for (const { file, path } of await unpack(archive, to, { bytes: 5_000_000, entries: 100 })) {
        expect(file.startsWith(to)).toBe(true);
        expect(path).not.toMatch(/(^|\/)\.\.(\/|$)|^\//);
      }
    } finally {
      await rm(to, { recursive: true, force: true });
      await rm(archive, { force: true });
    }
  });
});
