// What `npm run mutate` changes, as docs/security.md names it: [tests, file, code, what takes its place]. The code must stand in the
// file exactly once, so that a list out of date is noticed. Tests are files below test/, without ".test.ts".

/** Where the file of a mutation is: in src, but for those of python/ and scripts/. */
export function placeOf(file) {
  return /^(python|scripts)\//.test(file) ? file : `src/${file}`;
}

const DOCKER_SPEC = 'runtime/docker/container-spec.ts';

/** @type {[tests: string, file: string, code: string, instead: string][]} */
export const MUTATIONS = [
  // 1 and 2: the console, for scripts of apps
  [
    'security/console-token',
    'web/auth.ts',
    "const header = ctx.get('x-csrf-token');\n  if (header === '') throw refusal();",
    "const header = ctx.get('x-csrf-token') || String(ctx.query.csrf ?? '');\n  if (header === '') throw refusal();",
  ],
  [
    'security/console-token',
    'web/csrf.ts',
    "if (header !== '') return { header };",
    "if (header !== '') return { header };\n  if (typeof ctx.query.csrf === 'string') return { header: ctx.query.csrf };",
  ],
  [
    'security/console-token',
    'web/csrf.ts',
    'sameSecret(sent.form, formToken(csrf, path))',
    'sameSecret(sent.form, csrf) || sameSecret(sent.form, formToken(csrf, path))',
  ],
  [
    'security/console-token',
    'web/auth.ts',
    '(ctx.state as { unproven?: SignedIn }).unproven = found;',
    '(ctx.state as { signedIn?: SignedIn }).signedIn = found;',
  ],
  [
    'security/console-token',
    'web/server.ts',
    "referrerPolicy: { policy: 'origin' }",
    "referrerPolicy: { policy: 'same-origin' }",
  ],
  [
    'security/doors security/console-token',
    'domain/access/browser.ts',
    "return headers['service-worker'] !== undefined || headers['sec-fetch-dest'] === 'serviceworker';",
    'return headers === undefined;',
  ],
  [
    'security/same-origin',
    'web/auth.ts',
    'if (!isScript(ctx)) return;',
    'if (!isScript(ctx) || ctx.method !== "none") return;',
  ],
  [
    'security/own-origin',
    'domain/access/origins.ts',
    "return protocol === 'http:' && !(",
    "return protocol === 'none' && !(",
  ],
  ['web/auth', 'web/server.ts', "crossOriginOpenerPolicy: { policy: 'same-origin' }", 'crossOriginOpenerPolicy: false'],
  ['web/auth', 'web/server.ts', "referrerPolicy: { policy: 'origin' }", "referrerPolicy: { policy: 'strict-origin' }"],
  [
    'web/auth',
    'web/auth.ts',
    'demandScript(ctx, found?.session?.csrf, foreign);',
    'if (found !== undefined) demandScript(ctx, found.session?.csrf, foreign);',
  ],
  ['unit/gateway/headers', 'gateway/headers.ts', 'for (const name of ORIGIN_WIDE) delete headers[name];', ''],

  // 3: apps and their files
  [
    'unit/store/owners',
    'store/owners.ts',
    `const facts = await lstat(folder).catch(ifMissing);
    if (facts?.isDirectory() === false) await rm(folder, { force: true });
    await ensureFolder(folder, 0o700);
    if (uid === undefined) return;
    const opened = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);`,
    `void [lstat, rm, constants];
    await ensureFolder(folder, 0o700);
    if (uid === undefined) return;
    const opened = await open(folder, 'r');`,
  ],
  ['unit/serving/confines', 'serving/confines.ts', 'if (asked !== undefined) demandAllowed(asked, policy);', ''],
  ['unit/serving/confines', 'serving/confines.ts', 'await settle();', 'void settle;'],
  ['unit/domain/project/app-cage', 'domain/project/app-cage.ts', 'if (first === undefined) return;', 'return;'],

  // Says that it is caged, and is not.
  ['security/tenant', 'runtime/process/process-runtime.ts', 'wrap: (what) => cage.wrap({ ...confines, ...what }),', ''],
  [
    'integration/runtime/process/cage',
    'python/cage.py',
    'order.get("unixSockets"), order.get("userNamespaces"), alone)',
    'order.get("unixSockets"), True, alone)',
  ],
  [
    'integration/runtime/process/cage',
    'python/cage.py',
    'tuple((call, None, 0, errno.EPERM) for call in ("add_key", "request_key", "keyctl"))',
    '()',
  ],
  ['integration/runtime/process/cage', 'python/cage.py', '(() if alone else WITHOUT_OTHERS)', '()'],
  [
    'integration/runtime/process/cage',
    'runtime/process/cage/landlock.ts',
    "'tty', 'ptmx', 'pts'].map(",
    "'tty', 'ptmx', 'pts', 'shm'].map(",
  ],
  [
    'integration/runtime/process/cage',
    'runtime/process/cage/landlock.ts',
    "const KERNEL = ['/proc', '/sys'];",
    "const KERNEL = ['/proc', '/sys', '/dev'];",
  ],
  [
    'integration/runtime/process/cage',
    'runtime/process/cage/machine.ts',
    'root && folder === SETTINGS ? publicIn(folder) : [folder]',
    '[folder]',
  ],
  [
    'unit/runtime/process/cage/machine',
    'runtime/process/cage/machine.ts',
    'const found = !open ? [] :',
    'const found = !open && path === folder ? [] :',
  ],
  [
    'integration/runtime/process/cage',
    'runtime/process/cage/cage.ts',
    "!this.isOpen || (found === undefined && wish === 'auto')) return;",
    '!this.isOpen) return;',
  ],
  [
    'integration/runtime/process/cage',
    'runtime/process/cage/cage.ts',
    'throw error instanceof Undecided ? untried(kind, error) : error;',
    'if (error instanceof Undecided) return untried(kind, error).message;\n        throw error;',
  ],

  ['unit/runtime/docker/container-spec integration/docker-apps', DOCKER_SPEC, "CapDrop: ['ALL'],", ''],
  ['unit/runtime/docker/container-spec', DOCKER_SPEC, 'ReadonlyRootfs: true,', ''],
  [
    'unit/runtime/docker/container-spec integration/docker-apps',
    DOCKER_SPEC,
    "SecurityOpt: ['no-new-privileges'],",
    '',
  ],
  [
    'integration/runtime-docker',
    'runtime/docker/docker-runtime.ts',
    '{ socket: await this.#takeSocket(join(sockets, SOCKET), mark) };',
    '{ socket: join(sockets, SOCKET) };',
  ],

  // 4 and 5: caches and parsers
  [
    'unit/gateway/static-files',
    'gateway/static-files.ts',
    'if (bytes === undefined || hashOf(bytes) !== hash) return false;',
    'if (bytes === undefined) return false;',
  ],
  [
    'unit/gateway/frontend',
    'gateway/frontend.ts',
    'frontend?.key === key && !without.has(frontend.folder)',
    'frontend?.key === key',
  ],
  [
    'unit/gateway/frontend',
    'gateway/frontend-keys.ts',
    'const files = await filesIn(folder);',
    "const files = ['index.html'];",
  ],
  [
    'security/slow-parse',
    'deploys/reader.ts',
    'return (await this.#worker.ask(question)) as',
    "const { readings } = await import('./readings.js');\n      return (await (readings[what] as (...all: unknown[]) => unknown)(...question.args)) as",
  ],
  [
    'unit/environments/requirements',
    'environments/requirements.ts',
    'const MAX_FILE_BYTES = 1024 * 1024;',
    'const MAX_FILE_BYTES = Infinity;',
  ],
  [
    'unit/environments/requirements',
    'environments/requirements.ts',
    'const MAX_BYTES = 4 * 1024 * 1024;',
    'const MAX_BYTES = Infinity;',
  ],

  [
    'integration/linear',
    'domain/python/requirements.ts',
    'return /@|:\\/\\//.test(withoutWheel(line.text));',
    "return /@|:\\/\\//.test(withoutWheel('') + line.text.replace(/@?\\s*https?:\\/\\/\\S+\\.whl(?:#\\S*)?(?=\\s|$)/i, ''));",
  ],
  [
    'integration/linear unit/domain/python/lock',
    'domain/python/lock.ts',
    "return { name: field('Name'), version: field('Version') };",
    "return { name: /^Name:[ \\t]*(.*?)\\s*$/m.exec(head)?.[1] ?? '', version: field('Version') };",
  ],
  [
    'unit/domain/project/long-lines',
    'domain/project/long-lines.ts',
    'if (end - start > most) return number;',
    'if (start > text.length) return number;',
  ],
  ['integration/linear', 'domain/streamlit/script-exit.ts', '[^#\\n\\r\\u2028\\u2029]*?', '[^#\\n]*?'],

  // 6: what reaches apps
  [
    'security/app-headers',
    'gateway/headers.ts',
    'if (!PASSES.test(name) && !also(name)) delete headers[name];',
    "if (name === 'x' && !PASSES.test(name) && !also(name)) delete headers[name];",
  ],
  [
    'security/app-headers',
    'domain/streamlit/streamlit.ts',
    '    STREAMLIT_SERVER_TRUSTED_USER_HEADERS: JSON.stringify(options.identity ? IDENTITY_HEADERS : {}),\n',
    '',
  ],
  [
    'security/app-headers unit/domain/access/visitor',
    'domain/access/visitor.ts',
    'const plain = withoutMapping(address);\n',
    'if (address !== "") return true;\n    const plain = withoutMapping(address);\n',
  ],
  [
    'security/app-headers',
    'domain/app/route.ts',
    'return /(^|\\/)_stcore\\/agent(\\/|$)/.test(plainRest(rest).toLowerCase());',
    'return rest === undefined;',
  ],
  [
    'security/app-headers',
    'domain/app/route.ts',
    "const path = rest.split('#', 1)[0] ?? '';",
    "if (rest !== '') return rest;\n  const path = rest.split('#', 1)[0] ?? '';",
  ],

  // 7: builds
  [
    'unit/domain/python/outside',
    'domain/python/outside.ts',
    'if (REMOTE.test(place)) return false;',
    "if (place !== '' || REMOTE.test(place)) return false;",
  ],
  [
    'unit/environments/places',
    'environments/places.ts',
    'if (target !== undefined && (target === interpreter || isWithin(target, home))) continue;',
    "if (isWithin(resolve(entry.parentPath, await readlink(link)), environment) || link.includes('/bin/python')) continue;",
  ],

  [
    'security/tenant',
    'server/cage.ts',
    "if (cage.kind === 'none') return undefined;",
    'if (cage.kind !== undefined) return undefined;',
  ],
  [
    'security/tenant',
    'environments/installer.ts',
    'await refuseLinks(folder, python.executable);',
    'void refuseLinks;',
  ],
  [
    'integration/environments/caches',
    'environments/installer.ts',
    "await run(installing(requirements, true, []), tell, 'own');",
    "await run(installing(requirements, true, []), tell, 'shared');",
  ],
  ['integration/compile', 'python/compile.py', 'return os.path.samefile(one, other)', 'return True'],
  [
    'security/picture-cage',
    'server/cage.ts',
    "if (kind === 'none' || python === undefined) return undefined;",
    "if (kind !== 'every' || python === undefined) return undefined;",
  ],
  [
    'integration/setup',
    'scripts/lib/find_pip.py',
    'if hashlib.sha256(content).hexdigest() != sha256:',
    'if not sha256:',
  ],
  ['integration/setup', 'scripts/lib/tools.js', "      '--require-hashes',\n", ''],
  [
    'unit/pictures/devtools',
    'pictures/devtools.ts',
    'return messageSchema.safeParse(JSON.parse(text)).data;',
    'return JSON.parse(text) as z.infer<typeof messageSchema>;',
  ],
  ['unit/pictures/devtools', 'pictures/devtools.ts', 'if (this.#rest.length > MAX_MESSAGE) this.close();', ''],
  [
    'unit/pictures/photograph',
    'pictures/photograph.ts',
    'const url = String(request?.url);',
    'const { url } = request as { url: string };',
  ],

  // 8: cookies
  [
    'integration/gateway-conformance',
    'gateway/headers.ts',
    "return [pair, ` Path=${own ? path : `${appPath}/`}`, ...kept].join(';');",
    'return own || kept ? cookie : cookie;',
  ],
  ['security/cookie-jar', 'gateway/header-overflow.ts', '<script>${SCRIPT}</script>\n', ''],
  [
    'security/cookie-jar',
    'gateway/header-overflow.ts',
    "    'Cache-Control: no-store',\n",
    "    'Cache-Control: no-store',\n    'Clear-Site-Data: \"cookies\"',\n",
  ],
  ['unit/domain/access/pass', 'domain/access/pass.ts', 'until > now && isSame(', 'until > now || isSame('],
  ['unit/domain/access/pass', 'domain/access/pass.ts', 'one.hash === hash && one.expiresAt > now', 'one.hash === hash'],
  ['web/open-app', 'web/open-app.ts', 'attempts.demand(visitor);', ''],
  [
    'integration/visitors',
    'domain/access/rights.ts',
    "if (this.openingOf(app) === 'public') return undefined;",
    'if (this.openingOf(app) !== app.id) return undefined;',
  ],
  [
    'web/provider-login',
    'domain/access/provider-login.ts',
    'if (!counts && (!known || domains.length > 0)) {',
    'if (!counts && domains.length > 0) {',
  ],
  ['web/provider-login', 'web/provider-login.ts', ' && state === ctx.query.state', ' && state !== undefined'],
  ['web/provider-login', 'host/providers.ts', 'client.enableNonRepudiationChecks(config);', ''],
  [
    'web/proxy-login',
    'web/proxy-login.ts',
    "if (!this.#options.trusts(request.socket.remoteAddress ?? '')) return undefined;",
    '',
  ],
  ['web/proxy-login', 'web/proxy-login.ts', 'return person === undefined || proven ?', 'return !proven || proven ?'],
  ['web/proxy-login', 'web/proxy-login.ts', 'if (name !== undefined) delete request.headers[name];', 'void name;'],
  [
    'web/proxy-login',
    'web/proxy-login.ts',
    'if (said !== undefined && !(said instanceof Refusal) && isSame(account, said)) continue;',
    'if (said !== undefined && !(said instanceof Refusal) && account !== undefined) continue;',
  ],
  [
    'web/proxy-login',
    'web/proxy-login.ts',
    'if (said !== undefined && !(said instanceof Refusal) && isSame(account, said)) continue;',
    'if (said === undefined || (!(said instanceof Refusal) && isSame(account, said))) continue;',
  ],
  ['web/proxy-login', 'web/proxy-login.ts', 'if (said !== undefined) void sessions.end(id);', ''],
  ['web/proxy-login', 'domain/access/proxy-login.ts', 'if (more.length > 0) throw invalid(name);', ''],
  [
    'unit/domain/access/proxy-login',
    'domain/access/proxy-login.ts',
    'else if (proxies.local && secret === undefined)',
    'else if (proxies.local && secret === "")',
  ],
  [
    'unit/domain/access/proxy-login',
    'domain/access/proxy-login.ts',
    'if (!proxies.any)',
    'if (!proxies.any && proxies.local)',
  ],
  [
    'unit/domain/access/proxy-login',
    'domain/access/proxy-login.ts',
    'if (email === undefined) throw invalid(headers.email);',
    '',
  ],
  [
    'integration/proxy-login',
    'server/identity.ts',
    'session.provider !== TRUSTED_PROXY || config.proxyLogin !== undefined',
    'session.provider !== ""',
  ],
  [
    'integration/proxy-login',
    'gateway/entry.ts',
    'options.screen?.(request);\n    if (refused !== undefined) return refuse(',
    'if (refused !== undefined) return refuse(',
  ],
  [
    'security/small-doors',
    'web/session-cookie.ts',
    'return [...new Set(ids)];',
    'return [...new Set(ids)].slice(0, 4);',
  ],
  ['web/auth', 'web/session.ts', 'for (const id of earlier) await sessions.end(id);', ''],
  ['web/auth', 'web/session-cookie.ts', 'return prefix + name;', "return prefix === '' ? name : name;"],

  // 9, 10 and 11: connections, hosts and git
  [
    'security/connections',
    'gateway/listener.ts',
    'new Connections(server, { ...CONNECTION_LIMITS, ...limits });',
    'void [Connections, CONNECTION_LIMITS, limits];',
  ],
  ['security/doors', 'gateway/hosts.ts', 'if (host === undefined) return true;', "if (host !== '') return true;"],
  [
    'security/doors',
    'gateway/entry.ts',
    "countOf(request.rawHeaders, 'host') > 1",
    "countOf(request.rawHeaders, 'host') > 9",
  ],
  [
    'security/doors',
    'domain/access/browser.ts',
    "  return (\n    headers['sec-fetch-site'] !== undefined ||",
    "  return headers['x'] !== undefined && (\n    headers['sec-fetch-site'] !== undefined ||",
  ],

  // 12: small ones
  ['security/small-doors', 'git/harmless.ts', 'return text.replace(', "return text !== '' ? text : text.replace("],
  [
    'security/absent',
    'domain/app/app.ts',
    'return app.live !== null || pendingRelease(app) !== undefined;',
    'return app.live !== null || pendingRelease(app) !== null;',
  ],
  [
    'browser/absent',
    'gateway/absent.ts',
    'const facts = operator ? this.#facts(page, told) : Promise.resolve(NOTHING);',
    'const facts = this.#facts(page, told);',
  ],
  [
    'browser/absent',
    'gateway/absent.ts',
    "return mode === 'navigate' && dest === 'document';",
    "return mode !== '' && dest !== '';",
  ],
  ['unit/gateway/absent', 'gateway/absent.ts', '...(loggedIn ? {', '...(loggedIn && facts !== NOTHING ? {'],
  [
    'web/auth',
    'web/auth.ts',
    'if (session !== undefined) demandToken(tokenSent(ctx), session.csrf, ctx.path);',
    'void session;',
  ],
  [
    'security/small-doors',
    'gateway/entry.ts',
    ': !METHODS.includes(method)',
    ": method === '' && !METHODS.includes(method)",
  ],
  [
    'security/small-doors',
    'web/auth.ts',
    "if (error instanceof SyntaxError || error instanceof RangeError) ctx.throw(400, 'The form cannot be read.');",
    '',
  ],
  [
    'security/small-doors',
    'web/auth.ts',
    "(dest === 'empty' && isApi(ctx.path))",
    "(dest === 'empty' || isApi(ctx.path))",
  ],
  [
    'web/auth',
    'web/auth.ts',
    "  const owner = 'token' in by ?",
    "  access.attempts.demand(ctx.ip);\n  const owner = 'token' in by ?",
  ],
  [
    'unit/store/sessions',
    'store/sessions.ts',
    'return now - usedAt > SESSION_MS || now - createdAt > SESSION_LIFE_MS;',
    'return now - usedAt > SESSION_MS || createdAt > now + SESSION_LIFE_MS;',
  ],
  [
    'unit/server/data-folder',
    'server/data-folder.ts',
    'for (const folder of [paths.data, paths.cache, paths.tmp]) await chmod(folder, 0o700);',
    '',
  ],
  [
    'security/small-doors',
    'environments/checkout.ts',
    "'* -working-tree-encoding -ident -filter -text -eol\\n'",
    "'\\n'",
  ],

  [
    'unit/domain/in-place/config-json',
    'domain/in-place/config-json.ts',
    "if (error instanceof RangeError) return { mistakes: ['The file is nested too deeply.'] };",
    '',
  ],

  // 13: people and tokens
  ['web/matrix web/people', 'web/api/route.ts', 'verb, app: appIn(ctx)', "verb: 'me', app: appIn(ctx)"],
  ['web/matrix', 'web/console/router.ts', 'verb: can, app: page', "verb: 'me', app: page"],
  [
    'unit/host/audit',
    'host/audit.ts',
    "if (error instanceof Refusal) this.#tell(asked, { result: 'refused', code: error.code });",
    '',
  ],
  [
    'unit/store/audit-log',
    'store/audit-log.ts',
    'if (entry.n === head.last && entry.hash !== head.hash)',
    'if (false)',
  ],
  [
    'web/people',
    'web/api/apps.ts',
    "host.apps.list().filter(({ app }) => rights.may(by, 'open', app))",
    'host.apps.list()',
  ],
  [
    'web/people',
    'web/api/events.ts',
    "if (by === undefined || !api.rights.may(by, 'open', status.app)) return undefined;",
    'if (by === undefined) return undefined;',
  ],
  [
    'web/api/sse',
    'web/api/events.ts',
    'const { now } = signedIn(ctx);',
    `const { principal } = signedIn(ctx);
        const now = () => (principal.account === undefined ? principal : api.people.principal(principal.account));`,
  ],
  ['web/api/sse', 'web/api/sse.ts', 'if (!may()) gone.abort();', 'void may;'],
  ['web/people', 'domain/access/password-attempts.ts', 'attempts.demand(what);', ''],
  [
    'web/people',
    'web/auth.ts',
    'const right = passwords.begin({ address: ctx.ip, email, browser });\n  const person = await people.logIn(email, password);',
    'const person = await people.logIn(email, password);\n  const right = passwords.begin({ address: ctx.ip, email, browser });',
  ],
  [
    'unit/domain/access/password-attempts',
    'domain/access/password-attempts.ts',
    '[this.#accounts, account],',
    '[this.#accounts, address],',
  ],
  [
    'unit/domain/access/password-attempts',
    'domain/access/password-attempts.ts',
    'sent.length === made.length && timingSafeEqual(sent, made)',
    'sent.length === made.length',
  ],
  [
    'integration/guesses',
    'web/auth.ts',
    "known.nameOf(knownIn(ctx, base), people.idOf(email) ?? '')",
    "known.nameOf(knownIn(ctx, base).slice(0, 0), people.idOf(email) ?? '')",
  ],
  [
    'integration/guesses',
    'web/login.ts',
    'if (link.open === undefined && link.by === undefined) await slowDown(ctx, access);',
    'if (link === undefined) await slowDown(ctx, access);',
  ],
  ['integration/guesses', 'server/doors.ts', 'attempts.count(visitor(request).address);', 'void request;'],
  ['web/people', 'host/people.ts', 'this.#guesses.demand(id);', ''],
  [
    'unit/store/passwords',
    'store/passwords.ts',
    'const found = parse(stored ?? this.#nobodys)',
    'if (stored === undefined) return { right: false, old: false };\n    const found = parse(stored ?? this.#nobodys)',
  ],
  [
    'web/people',
    'host/people.ts',
    'return account === undefined || account.disabled ? undefined : principalOf(account);',
    'return account === undefined ? undefined : principalOf(account);',
  ],
  [
    'web/people',
    'host/people.ts',
    'if (after.disabled || after.admin !== before.admin) await sessions.endOf(after.id);',
    '',
  ],
  ['unit/store/users', 'store/users.ts', 'one === link ? { ...one, used: true } : one', 'one'],
  ['unit/store/users', 'store/users.ts', 'one.account !== account && one.expiresAt > oldest', 'one.expiresAt > oldest'],
  ['web/people', 'web/auth.ts', 'if (isScript(ctx)) throw foreign();', ''],
  ['web/people security/forced-login', 'web/auth.ts', 'demandLoginForm(ctx, base());', ''],
  [
    'web/people security/forced-login',
    'web/login.ts',
    "ctx.get('sec-fetch-site') === 'none' ? undefined",
    "ctx.method !== '' ? undefined",
  ],
  [
    'web/people',
    'web/session.ts',
    'if (current === undefined || current.account === account) return;',
    'if (current === undefined || current.account !== "") return;',
  ],
  [
    'unit/store/sessions',
    'store/sessions.ts',
    'const place = (count.get(account) ?? 0) + 1;\n      count.set(account, place);',
    'const place = (count.get(undefined) ?? 0) + 1;\n      count.set(undefined, place);',
  ],
  [
    'unit/host/tokens integration/doors',
    'domain/access/rights.ts',
    'if (limits === undefined) return undefined;',
    "if (limits === undefined || verb !== 'me') return undefined;",
  ],
  [
    'unit/host/tokens',
    'host/tokens.ts',
    "if (token.revokedAt !== undefined) throw ended('was revoked');\n    if (!this.isActive(token))",
    "if (token.id === '')",
  ],
  [
    'integration/host/ci-issuers',
    'host/ci-issuers.ts',
    'const { payload, protectedHeader } = await jwtVerify(token, known, {',
    'const { payload, protectedHeader } = { payload: decodeJwt(token), protectedHeader: { kid: "" } };\n      await jwtVerify(token, known, {}).catch(() => undefined);\n      void ({',
  ],
  [
    'integration/host/ci-issuers',
    'host/ci-issuers.ts',
    'return await verify(await this.#ask(issuer, keys.get()));',
    `const known = await this.#ask(issuer, keys.get());
      const { createPublicKey } = await import('node:crypto');
      const pem = createPublicKey({ key: known.jwks().keys[0] as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
      const shared = await jwtVerify(token, Buffer.from(String(pem)), { algorithms: ['HS256'] }).catch(() => undefined);
      return shared?.payload ?? (await verify(known));`,
  ],
  [
    'integration/host/ci-issuers',
    'host/ci-issuers.ts',
    'if (protectedHeader.kid === undefined) throw invalid();',
    'void protectedHeader;',
  ],
  [
    'integration/host/ci-issuers',
    'host/ci-issuers.ts',
    'find(({ url }) => url === iss)',
    'find(({ url }) => url.startsWith("http:") || url === iss)',
  ],
  ['integration/host/ci-issuers', 'host/ci-issuers.ts', 'const TOLERANCE = 30;', 'const TOLERANCE = 1e9;'],
  ['integration/host/ci-issuers', 'host/ci-issuers.ts', ' || exp > this.#now() / 1_000 + MAX_AGE', ''],
  [
    'integration/host/ci-issuers',
    'host/ci-issuers.ts',
    'if (parseUrl(found.jwks_uri)?.origin !== new URL(this.#issuer).origin)',
    'if (parseUrl(found.jwks_uri) === undefined)',
  ],
  [
    'integration/host/ci-issuers',
    'host/ci-issuers.ts',
    'if (found.issuer !== this.#issuer)',
    "if (found.issuer === '')",
  ],
  [
    'integration/host/ci-issuers',
    'host/ci-issuers.ts',
    'this.#isOver(this.#last.at, COOL_MS.unknown)',
    'this.#isOver(this.#last.at, 0)',
  ],
  [
    'integration/host/ci-issuers',
    'host/ci-issuers.ts',
    'if (this.#isOver(last.at, COOL_MS.failed)) return',
    'if (this.#isOver(last.at, 0)) return',
  ],
  ['integration/host/ci-issuers', 'host/ci-issuers.ts', 'if (status !== 200) throw', 'if (status === 0) throw'],
  ['integration/host/ci-issuers', 'lib/reach.ts', 'if (size > most) done();', ''],
  ['integration/host/trusted-ci', 'host/trusted-ci.ts', 'this.#demandAudience(proof);', ''],
  [
    'integration/host/trusted-ci',
    'host/trusted-ci.ts',
    'audiences.length === 1 && audiences[0] === wanted',
    'audiences.includes(wanted)',
  ],
  ['integration/host/trusted-ci', 'host/trusted-ci.ts', '{ repositoryId, ...one }', '{ ...one }'],
  [
    'integration/host/trusted-ci',
    'host/trusted-ci.ts',
    '(store.find(app)?.ciRules ?? [])',
    "(['shop', 'other'].flatMap((id) => store.find(id)?.ciRules ?? []) ?? app)",
  ],
  [
    'integration/host/trusted-ci',
    'host/trusted-ci.ts',
    '.filter((one) => one.issuer === issuer.url)',
    '.filter(() => issuer.url !== "")',
  ],
  [
    'integration/host/trusted-ci',
    'host/trusted-ci.ts',
    '.filter(({ account }) => account === undefined || people.principal(account) !== undefined)',
    '.filter(() => people !== undefined)',
  ],
  [
    'integration/host/trusted-ci',
    'host/trusted-ci.ts',
    "if (miss === 'repository' || miss === 'repository id') {",
    'if (rules.length === 0) {',
  ],
  [
    'integration/host/trusted-ci',
    'host/trusted-ci.ts',
    "if (error instanceof Refusal && error.kind !== 'unavailable') attempts.count(from);",
    '',
  ],
  [
    'integration/host/trusted-ci',
    'store/tokens.ts',
    'kept.some((one) => one.ci?.proof === ci.proof)',
    'kept.length > 1e6',
  ],
  ['integration/host/trusted-ci', 'store/tokens.ts', 'Math.max(expiresAt, ci.proofUntil)', 'expiresAt'],
  [
    'integration/host/trusted-ci integration/trusted-ci',
    'host/tokens.ts',
    'if (token.ci !== undefined) this.#demandRule(app.ciRules, token.ci.rule, ended);',
    '',
  ],
  [
    'unit/domain/access/ci integration/host/trusted-ci',
    'domain/access/ci.ts',
    'rule.repository.toLowerCase() !== job.repository.toLowerCase()',
    'rule.repository === ""',
  ],
  [
    'unit/domain/access/ci integration/host/trusted-ci',
    'domain/access/ci.ts',
    'rule.repositoryId !== undefined && rule.repositoryId !== job.repositoryId',
    'rule.repositoryId === ""',
  ],
  [
    'unit/domain/access/ci integration/host/trusted-ci',
    'domain/access/ci.ts',
    'rule.branch !== undefined && job.ref !== `refs/heads/${rule.branch}`',
    'rule.branch === ""',
  ],
  [
    'unit/domain/access/ci',
    'domain/access/ci.ts',
    'rule.environment !== undefined && job.environment !== rule.environment',
    'rule.environment === ""',
  ],
  ['unit/domain/access/ci integration/host/trusted-ci', 'domain/access/ci.ts', 'PROPOSED.test(job.event) || ', ''],
  ['unit/domain/access/ci', 'domain/access/ci.ts', ' || !/^refs\\/(heads|tags)\\//.test(job.ref)', ''],
  [
    'integration/doors',
    'git/handler.ts',
    "if (pushes && !exists) return rights.demand(by, 'create');",
    "if (pushes && !exists) return rights.demand(by, 'create');\n    if (!exists) throw noApp(app);",
  ],
  [
    'web/people',
    'web/api/server.ts',
    'api.sessions.makeCode(principal)',
    "api.sessions.makeCode({ name: 'admin', ...(signedIn(ctx) === undefined ? { account: '' } : {}) })",
  ],
  [
    'web/auth',
    'web/auth.ts',
    "if (owner !== undefined && 'kind' in owner && !isWhole(owner)) throw notForLogin();",
    '',
  ],
  [
    'unit/domain/access/attempts unit/gateway/connections',
    'domain/access/visitor.ts',
    'if (isIP(bare) !== 6) return bare;',
    'if (bare !== "") return bare;',
  ],
  [
    'web/second-step',
    'web/second-step.ts',
    "if (account === undefined || (await factors.neededBy(account)) === 'nothing') {",
    'if (account !== "") {',
  ],
  [
    'web/second-step',
    'web/login.ts',
    "await goIn(ctx, joined, { email: joined.name, password: input.password }, '/console/');",
    "await goIn(ctx, joined, { token: '' }, '/console/');",
  ],
  ['web/second-step', 'web/second-step.ts', 'if (!halves.use(id)) {', 'if (id === "") {'],
  ['web/second-step', 'web/second-step.ts', 'halves.failed(id);', ''],
  [
    'unit/host/passkeys',
    'host/passkeys.ts',
    'requireUserVerification: account === undefined,',
    'requireUserVerification: false,',
  ],
  [
    'unit/host/passkeys',
    'host/passkeys.ts',
    'if (!this.#challenges.use(asked.by())) throw expired();\n    await factors',
    'await factors',
  ],
  [
    'unit/host/passkeys',
    'host/passkeys.ts',
    'if (!this.#challenges.use(asked.by())) throw expired();\n    const { credential }',
    'const { credential }',
  ],
  [
    'web/second-step',
    'web/session-cookie.ts',
    "return [...new Set(valuesIn(ctx.get('cookie'), cookieOf(base, name)))];",
    "return valuesIn(ctx.get('cookie'), cookieOf(base, name)).slice(0, 1);",
  ],
  ['web/second-step', 'web/second-step.ts', 'return found.length === 1 ? found[0] : undefined;', 'return found[0];'],
  ['unit/host/passkeys', 'host/passkeys.ts', 'if (account !== undefined && owner.id !== account) throw wrong();', ''],
  ['unit/host/passkeys', 'host/passkeys.ts', ' || owner.disabled', ''],
  [
    'unit/host/passkeys',
    'host/passkeys.ts',
    "return account === undefined ? 'log in' : `second factor of ${account}`;",
    "return account === '' ? '' : 'log in';",
  ],
  ['unit/host/passkeys', 'host/passkeys.ts', 'await this.#options.factors.demandOwner(account, asked.password);', ''],
  ['unit/host/passkeys', 'host/second-factors.ts', 'if (options.first === true && !first) throw alreadyThere();', ''],
  [
    'unit/domain/access/challenges',
    'domain/access/challenges.ts',
    'if (mac.length !== right.length || !timingSafeEqual(Buffer.from(mac), right)) return undefined;',
    'if (mac.length !== right.length) return undefined;',
  ],
  ['unit/domain/access/challenges', 'domain/access/challenges.ts', ' && !this.#used.has(ticket)', ''],
  ['unit/host/half-logins', 'host/half-logins.ts', ' || account.password !== found.password', ''],
  ['unit/host/half-logins', 'host/half-logins.ts', 'found.end <= this.#now()', 'found.end <= 0'],
  ['unit/host/second-factors', 'host/second-factors.ts', ' || step <= totp.lastStep', ''],
  ['unit/host/second-factors', 'host/second-factors.ts', 'this.#guesses.demand(account);', ''],
  [
    'unit/host/second-factors',
    'host/second-factors.ts',
    "await this.#options.people.demandPassword(account, password, 'factor-password');",
    'if (password === "") return;',
  ],
  [
    'unit/host/second-factors',
    'host/second-factors.ts',
    'if (options.first === true && hasFactor(before)) throw alreadyThere();',
    '',
  ],
  [
    'unit/host/second-factors',
    'host/second-factors.ts',
    'const found = this.#pending.get(place);',
    'const found = [...this.#pending.values()].at(place.length * 0);',
  ],
  [
    'unit/host/second-factors',
    'host/second-factors.ts',
    'const all = await this.#options.list.of(MACHINE);',
    'const all = await this.#options.list.of(MACHINE).catch(() => [] as Factors[]);',
  ],

  // 14: who may open an app
  [
    'integration/visitors',
    'gateway/gateway.ts',
    'if (!admission.may) return this.#entrance.turnAway(request, response, { app, asked, query, admission });',
    '',
  ],
  [
    'integration/visitors',
    'gateway/gateway.ts',
    "if (!admission.may) return refuse(socket, admission.by !== undefined ? '404 Not Found' : '401 Unauthorized');",
    '',
  ],
  [
    'integration/visitors',
    'gateway/gateway.ts',
    'this.#open.watch(socket, may, { app: to.id, cookie: request.headers.cookie });',
    '',
  ],
  [
    'integration/gateway-streams',
    'gateway/gateway.ts',
    'this.#open.watch(response, may, { app: to.id, cookie: request.headers.cookie });',
    '',
  ],
  [
    'integration/gateway-streams',
    'gateway/gateway.ts',
    "if (waited && !may()) return plain(response, 401, 'Log in to open this app.\\n', { 'cache-control': 'no-store' });",
    '',
  ],
  ['unit/gateway/watch', 'gateway/watch.ts', 'if (!isSafely(may)) one.destroy();', 'void [may, one];'],
  [
    'unit/gateway/watch',
    'gateway/watch.ts',
    'if (answers[place] === false) one.destroy();',
    'void [place, one, answers];',
  ],
  [
    'unit/gateway/watch',
    'gateway/watch.ts',
    '    return may();\n  } catch {\n    return false;',
    '    return may();\n  } catch {\n    return true;',
  ],
  [
    'unit/serving/processes',
    'serving/processes.ts',
    'const identity = port === undefined && !prepared',
    'const identity = !prepared',
  ],
  [
    'integration/visitors',
    'server/doors.ts',
    'mayOpen: (cookie, app) => admit(cookie, app).may,',
    'mayOpen: () => true,',
  ],
  ['web/auth', 'web/login.ts', '(app !== undefined && needsLogin(app))', 'app !== undefined'],
  [
    'web/open-app',
    'web/open-app.ts',
    "return url?.pathname.startsWith(own) === true && !url.pathname.includes('//') ? url.pathname + url.search : own;",
    'return url === undefined ? own : String(value);',
  ],
  [
    'unit/gateway/headers',
    'gateway/headers.ts',
    'for (const name of Object.keys(IDENTITY_HEADERS)) delete headers[name];',
    'void IDENTITY_HEADERS;',
  ],
  [
    'integration/visitors',
    'domain/access/rights.ts',
    'return pass?.embed === true ? (this.#whole(app)?.frames ?? []) : [];',
    'return pass === undefined ? undefined : undefined;',
  ],
];
