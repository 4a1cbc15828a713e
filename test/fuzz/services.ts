import { EventEmitter } from 'node:events';
import type { Duplex, Readable, Writable } from 'node:stream';
import { parseDestination } from '../../src/alerts/destinations.js';
import { kinds, refusedBy, requestOf, type HttpKind } from '../../src/alerts/formats.js';
import { messageOf } from '../../src/alerts/message.js';
import { open, read, seal } from '../../src/domain/access/audit.js';
import { browserOf, isBrowser, isServiceWorker } from '../../src/domain/access/browser.js';
import { ciIssuers, jobName, parseCiRule, readJob } from '../../src/domain/access/ci.js';
import { findShare, parseFrames, parseShareName, passFor } from '../../src/domain/access/pass.js';
import { claimsOf } from '../../src/domain/access/provider-login.js';
import { parseExtraPath } from '../../src/domain/in-place/extra-paths.js';
import { readConfigJson } from '../../src/domain/in-place/config-json.js';
import { isOid, readPointer } from '../../src/domain/project/lfs.js';
import { codeOf, ExceptionReader, raisedAt } from '../../src/domain/streamlit/exceptions.js';
import { readOnlyWrite } from '../../src/domain/streamlit/read-only.js';
import { syntaxError } from '../../src/domain/streamlit/syntax-error.js';
import { parseDrain } from '../../src/drains/drains.js';
import { syslogFrame } from '../../src/drains/sinks.js';
import { lfsRouteOf, parseBatch } from '../../src/git/lfs.js';
import { isPublic } from '../../src/lib/reach.js';
import { expose } from '../../src/metrics/exposition.js';
import { DevTools } from '../../src/pictures/devtools.js';
import { Attached } from '../../src/runtime/docker/attached.js';
import { answers, parseAnswer } from '../../src/runtime/docker/engine.js';
import { FrameReader } from '../../src/runtime/swarm/frames.js';
import { parseLeave } from '../../src/web/provider-login.js';
import { passesIn } from '../../src/web/session-cookie.js';
import { KIB, MIB, type Parser } from './parser.js';

const ISSUERS = ciIssuers([]);
const HASH = 'a1'.repeat(32);
const JSON_TOKENS = ['{', '}', '[', ']', ':', ',', '"', '\\u0000', 'null', 'true', '1', '-1', '1e400', '"__proto__"'];

/** The value of a JSON text; undefined where it is none. */
function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Its reader never sees it.
  }
}

/** What is made of an input that may be refused; undefined where it is. */
function unlessRefused<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error && error.name === 'Refusal') return undefined;
    throw error;
  }
}

const people: Record<string, Parser> = {
  'claims of a provider': {
    read: (text) => {
      const raw = valueOf(text);
      if (typeof raw !== 'object' || raw === null) return true;
      const { email, groups = [] } = claimsOf({ groupsClaim: 'groups' }, raw as Record<string, unknown>);
      return !/[\s,]/.test(email ?? '') && groups.every((group) => !/[\s,]/.test(group)) && groups.length <= 100;
    },
    tokens: [
      ...JSON_TOKENS,
      '"sub"',
      '"iss"',
      '"email"',
      '"email_verified"',
      '"name"',
      '"groups"',
      '"ada@example.com"',
    ],
    samples: ['{"iss":"https://x","sub":"a","email":"ada@example.com","email_verified":true,"groups":["A b","c"]}'],
    limit: 256 * KIB,
  },
  'jobs that a CI service describes': {
    read: (text) => {
      const raw = valueOf(text);
      if (typeof raw !== 'object' || raw === null) return true;
      return ISSUERS.every((issuer) => {
        const job = readJob(issuer.service, raw as Record<string, unknown>);
        return job === undefined || (/^\d{1,20}$/.test(job.repositoryId) && !/[\p{Cc}]/u.test(jobName(issuer, job)));
      });
    },
    tokens: [
      ...[...JSON_TOKENS, '"repository"', '"repository_id"', '"ref"', '"event_name"', '"run_id"', '"environment"'],
      ...['"project_path"', '"project_id"', '"ref_type"', '"pipeline_source"', '"pipeline_id"', '"branch"', '"tag"'],
      ...['"refs/heads/main"', '"octo/shop"', '9007199254740993'],
    ],
    samples: [
      '{"repository":"octo/shop","repository_id":"1","ref":"refs/heads/main","event_name":"push","run_id":"2"}',
      '{"project_path":"a/b","project_id":1,"ref":"main","ref_type":"branch","pipeline_source":"push","pipeline_id":2}',
    ],
    limit: 16 * KIB,
  },
  'rules about CI jobs': {
    read: (text) => {
      const [issuer = '', repository = '', branch, environment, repositoryId] = text.split('\n');
      const input = { issuer, repository, branch, environment, repositoryId };
      const rule = unlessRefused(() => parseCiRule(input, ISSUERS));
      return rule === undefined || rule.branch !== undefined || rule.environment !== undefined;
    },
    tokens: ['github', 'gitlab', 'octo/shop', '/', '..', '\n', 'main', 'refs/heads/', '*', ' ', '4242', 'production'],
    samples: ['github\nocto/shop\nmain\n\n', 'gitlab\na/b/c\n\nlive\n42'],
    limit: 16 * KIB,
  },
  'what a browser brings back from a provider': {
    read: (text) => {
      const left = parseLeave(text);
      return left === undefined || Object.values(left).every((value) => value !== undefined);
    },
    tokens: [...JSON_TOKENS, '"provider"', '"state"', '"nonce"', '"verifier"', '"next"', '"x"'],
    samples: ['{"provider":"oidc","state":"a","nonce":"b","verifier":"c","next":"/console/"}'],
    limit: 16 * KIB,
  },
  'passes and share links': {
    read: (text) => {
      const guarded = { opens: 'password', visitPassword: 'a hash', shares: [] };
      const values = passesIn(`streamlit_host_pass=${text}`, { path: '', host: 'x', https: false });
      unlessRefused(() => parseShareName(text));
      return (
        values.length <= 10 &&
        findShare(guarded, text, 0) === undefined &&
        passFor([text, ...values], 'shop', guarded, 0) === undefined
      );
    },
    tokens: ['p.', 's.', '.', ';', '; streamlit_host_pass=', '9'.repeat(13), 'Infinity', '-0', '0x1', HASH],
    samples: [`p.9999999999999.${HASH}`, 's.abc; streamlit_host_pass=p.1.x'],
    limit: 64 * KIB,
  },
  'origins that may frame an app': {
    read: (text) =>
      (unlessRefused(() => parseFrames(text.split('\n'))) ?? []).every((origin) =>
        /^https?:\/\/[a-z0-9.:[\]-]+$/.test(origin),
      ),
    tokens: [
      'https://',
      'http://localhost',
      'wiki.example.com',
      '*',
      ':8080',
      '/',
      "'self'",
      ';',
      ',',
      '\n',
      ' ',
      '[::1]',
    ],
    samples: ['https://wiki.example.com\nhttp://localhost:3000'],
    limit: 64 * KIB,
  },
  'User-Agent headers': {
    read: (text) => {
      isBrowser({ 'user-agent': text, 'sec-fetch-site': undefined });
      isServiceWorker({ 'service-worker': undefined, 'sec-fetch-dest': text });
      return browserOf(text).length < 60;
    },
    tokens: ['Mozilla/5.0 ', 'Edg/', 'Firefox/', 'Chrome/', 'Safari/', 'Android', 'Mac OS X', 'Linux', '(', ')', ' '],
    samples: ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'],
    limit: 64 * KIB,
  },
  'entries of the audit log': {
    read: (text) => {
      read(text);
      const what = { door: 'api', verb: 'me', what: 'GET /me', result: 'ok' } as const;
      const { line } = seal(1, new Date(0), { who: text, from: text, ...what }, HASH);
      return !line.includes('\n') && open(line)?.who === text.slice(0, 300) && open(`${line} `) === undefined;
    },
    tokens: [...JSON_TOKENS, '"n":1', '"at"', '"who"', '"prev"', `,"hash":"${HASH}"}`, '\n'],
    samples: [
      `{"n":1,"at":"x","who":"a","door":"api","from":"","verb":"","what":"","result":"ok","prev":"","hash":"x"}`,
    ],
    limit: 64 * KIB,
  },
};

const out: Record<string, Parser> = {
  'destinations of alerts and drains': {
    read: (text) => {
      const found = [
        ...(['webhook', 'email', 'ntfy'] as const).map((kind) =>
          unlessRefused(() => parseDestination(kind, text, false)),
        ),
        unlessRefused(() => parseDrain(text, false)),
      ];
      unlessRefused(() => parseDrain(text, true));
      isPublic(text);
      return found.every((one) => {
        if (one === undefined || /^[^\s<>,:@]+@[^\s@]+$/.test(one)) return true;
        const { protocol, username, password } = new URL(one);
        return ['https:', 'syslog+tls:'].includes(protocol) && username === '' && password === '' && !/\s/.test(one);
      });
    },
    tokens: [
      'https://',
      'http://',
      'syslog+tls://',
      'file:///',
      '127.0.0.1',
      '[::1]',
      '@',
      ':',
      '/',
      '#',
      '?',
      '\n',
      'a',
    ],
    samples: ['https://ntfy.sh/topic', 'syslog+tls://logs.example.com:6514', 'ada@example.com', '::ffff:127.0.0.1'],
    limit: 16 * KIB,
  },
  'what alerts, drains and Prometheus are told of apps': {
    read: (text) => {
      const line = { app: text, release: 1, at: 0, text };
      const frame = syslogFrame(line, 'host');
      const changes = [{ kind: 'happened', rule: 'exception', of: 'shop', text, at: 0 }] as never;
      const message = messageOf('1', changes, { nameOf: () => text, urlOf: () => 'https://x/' });
      for (const kind of kinds)
        if (kind !== 'email') {
          const { headers } = requestOf({ kind, address: 'https://x/topic', secret: 'a' }, message, 0);
          if (Object.values(headers).some((value) => /[\r\n]/.test(value))) return false;
        }
      const [length = ''] = frame.split(' ', 1);
      const [before, after] = ['', text].map((name) => {
        const apps = [{ id: name, up: true, release: 1 }];
        const exposed = { version: name, apps, latest: new Map(), totals: new Map(), sizeOf: () => undefined };
        return expose(exposed, 'openmetrics').split('\n').length;
      });
      return (
        // eslint-disable-next-line no-control-regex -- they are what is looked for
        !/[\x00-\x1f\x7f]/.test(message.title) &&
        Buffer.byteLength(frame) === Number(length) + length.length + 1 &&
        before === after
      );
    },
    tokens: ['\n', '\r\n', '"', '\\', '{', '}', ' ', 'Subject: x', 'Bcc: a@b.c', '<b>', '@everyone', '\0', 'a'],
    samples: ['Shop', 'ValueError: x'],
    limit: 4 * KIB,
  },
  'answers of destinations': {
    read: (text) =>
      (['feishu', 'dingtalk', 'slack'] as HttpKind[]).map((kind) => refusedBy(kind, 200, text)).length === 3,
    tokens: [...JSON_TOKENS, '"code"', '"errcode"', 'ok'],
    samples: ['{"code":19001,"msg":"x"}', '{"errcode":0}'],
    limit: 16 * KIB,
  },
};

const machine: Record<string, Parser> = {
  'requests of Git LFS': {
    read: (text) => {
      const batch = parseBatch(text);
      return (
        batch.objects.every(({ oid, size }) => isOid(oid) && Number.isSafeInteger(size)) &&
        batch.objects.length <= 1_000
      );
    },
    tokens: [
      ...JSON_TOKENS,
      ...[
        '"operation"',
        '"upload"',
        '"transfers"',
        '"basic"',
        '"objects"',
        '"oid"',
        `"${HASH}"`,
        '"size"',
        '"hash_algo"',
      ],
    ],
    samples: [`{"operation":"upload","transfers":["basic"],"objects":[{"oid":"${HASH}","size":1}]}`],
    limit: MIB,
    large: 2,
  },
  'pointers and paths of Git LFS': {
    read: (text) => {
      const pointer = readPointer(Buffer.from(text));
      const route = lfsRouteOf(text);
      return (pointer === undefined || isOid(pointer.oid)) && (route.kind !== 'object' || isOid(route.oid));
    },
    tokens: [
      'version https://git-lfs.github.com/spec/v1\n',
      'oid sha256:',
      HASH,
      '\n',
      'size ',
      '1',
      'info/lfs/objects/',
      '/',
      '..',
    ],
    samples: [
      `version https://git-lfs.github.com/spec/v1\noid sha256:${HASH}\nsize 12\n`,
      `info/lfs/objects/${HASH}`,
      'info/lfs/objects/batch',
    ],
    limit: 64 * KIB,
  },
  'answers of Docker': {
    read: (text) =>
      Object.values(answers).map((schema) => unlessRefused(() => parseAnswer(schema as never, text, 'x'))),
    tokens: [
      ...JSON_TOKENS,
      ...['"Id"', '"State"', '"Running"', '"Pid"', '"ExitCode"', '"OOMKilled"', '"Config"', '"Labels"', '"HostConfig"'],
    ],
    samples: [
      '{"Version":"20.10.24","ApiVersion":"1.41"}',
      '[{"Id":"a","Labels":{"streamlit-host.mark":"x"}}]',
      '{"Id":"a","State":{"Running":true,"Pid":1,"ExitCode":0,"OOMKilled":false},"Config":{"Labels":null},"HostConfig":{"Memory":0,"NanoCpus":0,"PidsLimit":null}}',
    ],
    limit: MIB,
    large: 1,
  },
  'frames of a container’s output': {
    read: (text) => {
      const stream = Object.assign(new EventEmitter(), { resume: () => undefined });
      const ready = new Attached(stream as unknown as Duplex).ready(60_000);
      const bytes = Buffer.from(text, 'latin1');
      const half = Math.floor(bytes.length / 2);
      for (const part of [bytes.subarray(0, half), bytes.subarray(half)]) stream.emit('data', part);
      stream.emit('close');
      return ready;
    },
    tokens: ['\x01\0\0\0', '\x02\0\0\0', '\0\0\0\x06', 'ready\n', '\0\0\0\0', '\xff\xff\xff\xff', 'a'],
    samples: ['\x01\0\0\0\0\0\0\x06ready\n', '\x02\0\0\0\0\0\0\x01a\x01\0\0\0\0\0\0\x01b'],
    limit: 64 * KIB,
  },
  'what an instance on another machine says': {
    read: (text) => {
      const reader = new FrameReader();
      const bytes = Buffer.from(text, 'latin1');
      const half = Math.floor(bytes.length / 2);
      try {
        return [bytes.subarray(0, half), bytes.subarray(half)].map((part) => reader.read(part));
      } catch (error) {
        // Its connection is closed then.
        if (error instanceof Error && /^a frame of \d+ bytes$/.test(error.message)) return [];
        throw error;
      }
    },
    tokens: ['L\0\0\0', 'U\0\0\0\x03', 'X', '\0\0\0\0', '\xff\xff\xff\xff', '\0\x10\0\0', 'a'],
    samples: ['L\0\0\0\x0a\0\0\0\0\0\0\0\0a\nR\0\0\0\0', 'X\0\0\0\x050 137'],
    limit: 64 * KIB,
  },
  'messages of Chromium': {
    read: (text) => {
      const from = Object.assign(new EventEmitter(), { setEncoding: () => undefined });
      const to = Object.assign(new EventEmitter(), { write: () => true });
      const devtools = new DevTools(to as unknown as Writable, from as unknown as Readable);
      devtools.on(({ params }) => Object.keys(params));
      devtools.send('A.b').catch(() => undefined);
      from.emit('data', `${text}\0`);
      devtools.close();
      return true;
    },
    tokens: [...JSON_TOKENS, '\0', '"id"', '"method"', '"params"', '"result"', '"error"', '"message"'],
    samples: [
      '{"id":1,"result":{"a":1}}',
      '{"method":"A.b","params":{"request":{"url":"x"}}}',
      '{"id":1,"error":{"message":"x"}}',
    ],
    limit: MIB,
    large: 2,
  },
  'exceptions that apps print': {
    read: (text) => {
      const lines = text.split('\n');
      const reader = new ExceptionReader();
      const found = [...reader.push(lines), ...reader.end()];
      syntaxError(lines);
      readOnlyWrite(lines);
      return found.every(({ lines: kept }) => (raisedAt(kept), codeOf(kept), kept.length <= 81));
    },
    tokens: [
      'Traceback (most recent call last):\n',
      '  File "/s/app.py", line 3, in f\n',
      '    x\n',
      'ValueError: a\n',
      'SyntaxError: b\n',
      "PermissionError: [Errno 13] Permission denied: 'x'\n",
      'During handling of the above exception, another exception occurred:\n',
      '\n',
      ' ',
      '|',
      '.',
      ': ',
    ],
    samples: ['Traceback (most recent call last):\n  File "app.py", line 3, in f\n    x\nValueError: a\n'],
    limit: 256 * KIB,
  },
  'config.json of in-place apps': {
    read: (text) => {
      for (const one of text.split('"').slice(0, 20)) parseExtraPath(one);
      return readConfigJson(text, { base: '/srv', apps: '/srv' });
    },
    tokens: [...JSON_TOKENS, '"apps"', '"app_path"', '"name"', '"path"', '"/sales/"', '//', '/*', '*/', '\n'],
    samples: ['{"apps":{"a":{"name":"A","path":"/sales/"}}}'],
    limit: 256 * KIB,
  },
};

/** What reads bytes of providers, mail and chat services, Docker, Chromium and other programs, and what is told to them. */
export const SERVICES: Record<string, Parser> = { ...people, ...out, ...machine };
