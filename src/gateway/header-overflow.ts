import { createHash } from 'node:crypto';

/** How long (ms) a client may keep sending after an answer, so that it gets to read it. */
const LINGER_MS = 2_000;

/** The parts of a connection that an answer needs. */
interface Line {
  end(text: string): unknown;
  resume(): unknown;
  destroy(): unknown;
  once(event: 'close', listener: () => void): unknown;
}

/**
 * Answers a request whose URL and headers are too large. The usual cause is cookies: one app's script can set so many
 * that the browser can open nothing on the host for a year. `Clear-Site-Data` would delete them all, but any site
 * could then log users out with a link that is too long. Instead, the page has a button that deletes what a script
 * can delete, which excludes the console's session. It needs no other files, since no other request would succeed.
 * @param most the bytes that fit
 */
export function answerOverflow(line: Line, most: number): void {
  const html = pageOf(most);
  const { script, style } = { script: hashOf(SCRIPT), style: hashOf(STYLE) };
  const headers = [
    'HTTP/1.1 431 Request Header Fields Too Large',
    'Connection: close',
    'Cache-Control: no-store',
    'Content-Type: text/html; charset=utf-8',
    `Content-Security-Policy: default-src 'none'; script-src '${script}'; style-src '${style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    'Cross-Origin-Opener-Policy: same-origin',
    'X-Content-Type-Options: nosniff',
    `Content-Length: ${Buffer.byteLength(html)}`,
  ];
  line.end(`${headers.join('\r\n')}\r\n\r\n${html}`);
  // A line that is closed before the client has sent everything is reset, and the answer with it.
  line.resume();
  const timer = setTimeout(() => line.destroy(), LINGER_MS);
  line.once('close', () => clearTimeout(timer));
}

const STYLE =
  ':root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem}' +
  'button{font:inherit;padding:.4rem .9rem}';

/**
 * Deletes a cookie by its name, path, domain and partition. Scripts do not learn these, so all that apply to this
 * page are tried (https://www.rfc-editor.org/rfc/rfc6265#section-5.3).
 */
const SCRIPT = `
const size = () => new TextEncoder().encode(document.cookie).length;
const names = () => document.cookie.split('; ').filter((pair) => pair !== '').map((pair) => pair.includes('=') ? pair.split('=', 1)[0] : '');
const show = () => {
  const bytes = size();
  document.querySelector('[data-size]').textContent = bytes < 1024 ? bytes + ' bytes' : Math.round(bytes / 1024) + ' kB';
  document.querySelector('[data-cookies]').hidden = bytes === 0;
  document.querySelector('[data-other]').hidden = bytes > 0;
};
const clear = () => {
  const parts = location.pathname.split('/').filter((part) => part !== '');
  const folders = parts.map((_, at) => '/' + parts.slice(0, at + 1).join('/'));
  const paths = ['/', ...folders, ...folders.map((folder) => folder + '/')];
  const host = location.hostname.split('.');
  const domains = ['', ...host.map((_, at) => '; Domain=' + host.slice(at).join('.'))];
  const kinds = location.protocol === 'https:' ? ['; Secure', '; Secure; SameSite=None; Partitioned'] : [''];
  for (const name of new Set(names()))
    for (const path of paths)
      for (const domain of domains)
        for (const kind of kinds)
          document.cookie = name + '=' + (name === '' ? 'x' : '') + '; Max-Age=0; Path=' + path + domain + kind;
};
document.querySelector('button').addEventListener('click', () => {
  clear();
  show();
  location.reload();
});
show();
`;

function pageOf(most: number): string {
  const kib = `${most / 1024} KiB`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Request too large</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Request too large</h1>
<p>The URL and headers of this request are larger than ${kib}.</p>
<div data-cookies hidden>
<p>Your browser sends <strong data-size></strong> of cookies that scripts have set on this site. Deleting them resets what apps have stored in them. You stay logged in to the console.</p>
<p><button>Delete cookies</button></p>
</div>
<p data-other>Try a shorter URL, or delete the cookies of this site in your browser.</p>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

/** @see https://www.w3.org/TR/CSP3/#match-element-to-source-list */
function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
