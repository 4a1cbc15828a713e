import { join } from 'node:path';
import { unsafeOrigin, withPort } from '../domain/access/origins.js';
import { TrustedProxies } from '../domain/access/visitor.js';
import { isManyBehind } from '../gateway/hosts.js';
import { close, listen } from '../gateway/listener.js';
import { acceptRelayed } from '../gateway/relay.js';
import { Switchboard } from '../gateway/switchboard.js';
import { mayLogIn } from '../web/proxy-login.js';
import { Claims } from '../lib/claims.js';
import { collectGarbage } from '../lib/garbage.js';
import { protectServer } from '../lib/priority.js';
import { programFolder } from '../lib/program-folder.js';
import type { Logger } from '../logger.js';
import { findChromium } from '../pictures/chromium.js';
import { Photographer } from '../pictures/photographer.js';
import { ownIdentity } from '../runtime/process/proc.js';
import type { Config } from '../settings.js';
import { removeServerRecord, writeServerRecord } from '../store/lock.js';
import type { LogFolder } from '../store/log-folder.js';
import { Paths } from '../store/paths.js';
import { takeData } from './data-folder.js';
import { greet, offerExample } from './greeting.js';
import { canWrite, Later } from './later.js';
import { Life, portOf, type Bases } from './life.js';
import type { Predecessor } from './predecessor.js';
import { newRelay, Reload } from './reload.js';
import { passOn } from './remainder.js';
import { Stop } from './stop.js';

/** A base URL with the port that was free, where any was asked for. */
function onPort(base: string, port: number): string {
  return new URL(base).port === '0' ? withPort(base, port) : base;
}

/** How long (ms) after a start the memory is freed that only the start needed. */
const SETTLED_MS = 10_000;

/** How the server ended: it was stopped, or another one has taken over. */
export type Ended = { by: 'stop' } | { by: 'reload'; record: string; asked: AbortSignal };

/**
 * The life of the server: takes the data folder, composes, listens, and waits until it is asked to stop or is replaced.
 * @param predecessor the server that this one replaces
 * @throws Refusal where the data folder or the port belongs to another server
 */
export async function serve(
  config: Config,
  logger: Logger,
  logFolder: LogFolder | undefined,
  predecessor?: Predecessor,
): Promise<Ended> {
  const root = programFolder();
  const paths = new Paths(config.data);
  const later = new Later(logger, () => canWrite(paths.data));
  const stop = new Stop();
  const handed = await predecessor?.takeOver();
  const { mark, lock } = await takeData(paths, later, handed);
  protectServer();
  // Before anything is started that would be left behind.
  stop.hearSignals();
  const address = { port: config.port, bind: config.bind };
  const appsAddress = config.appsOrigin && {
    port: config.appsOrigin.port,
    bind: config.bind,
    setting: 'STREAMLIT_HOST_APPS_PORT',
  };
  const bases: Bases = { platform: config.publicBase, apps: config.appsOrigin?.base };
  const basePath = new URL(config.publicBase).pathname.replace(/\/$/, '');
  const changes = new Claims();
  const { proxyLogin } = config;
  const board = new Switchboard(basePath, changes, (request) => mayLogIn(request, proxyLogin));
  if (predecessor === undefined) {
    // A port that is taken is reported before anything else is started: nothing would end it again.
    await close(await listen(address, board.door('platform')));
    if (appsAddress !== undefined) await close(await listen(appsAddress, board.door('apps')));
  }
  const reload = new Reload({ root, board, changes, logger });
  const compose = async (): Promise<Life> => {
    const options = { config, paths, root, mark, later, bases, basePath, stop, board, changes, logFolder, logger };
    const life = await Life.compose({ ...options, reload: (how) => reload.run(how) });
    await life.begin();
    return life;
  };
  const life = await compose();
  board.lead(life.entries);
  const proxies = new TrustedProxies(config.trustedProxies);
  const limits = {
    ...config.connections,
    basePath,
    manyBehind: (client: string) => isManyBehind(client, bases.platform, proxies),
  };
  const server = await listen(address, board.door('platform'), limits, await predecessor?.port('platform', address));
  const appsServer =
    appsAddress &&
    (await listen(appsAddress, board.door('apps'), limits, await predecessor?.port('apps', appsAddress)));
  bases.platform = onPort(bases.platform, portOf(server));
  bases.apps &&= onPort(bases.apps, portOf(appsServer ?? server));
  const local = `http://${config.localHost}:${portOf(server)}${basePath}`;
  const record = async (): Promise<void> =>
    later.attempt('record the URL of this server', () =>
      writeServerRecord(paths.server, { ...ownIdentity(), url: bases.platform, local }),
    );
  await record();
  if (predecessor !== undefined) {
    const relay = newRelay(paths.run);
    const relayed = await acceptRelayed(relay, { platform: server, ...(appsServer && { apps: appsServer }) });
    void predecessor.ended().then(() => relayed.close());
    predecessor.follow(life);
    await predecessor.serving(relay);
  }
  const photographs = (of: Life): Photographer | undefined =>
    config.pictures
      ? new Photographer({
          apps: of.composed.host.apps,
          pictures: of.doors.pictures,
          chromium: () => findChromium(config.path),
          path: config.path,
          cage: of.composed.pictureCage,
          tmp: paths.tmp,
          mark: `${mark}/:picture`,
          local: withPort(local, portOf(appsServer ?? server)),
          logger,
        })
      : undefined;
  let photographer = photographs(life);
  /** All but the last have been given away to a new server that then failed. */
  const lives = [life];
  const ports = {
    platform: { server, address },
    ...(appsServer && appsAddress && { apps: { server: appsServer, address: appsAddress } }),
  };
  const giveUp = (error: unknown): never => {
    // Requests would wait for it forever.
    logger.fatal({ err: error }, 'The old server could not resume either, and ends. Apps keep running.');
    process.exit(1);
  };
  reload.begin(
    life,
    { lock, ports },
    {
      leave: async () => photographer?.close(),
      revive: async () => {
        // Before anything that takes time: a stand-in looks here whether the server still runs.
        await record();
        const [before, another] = [lives.at(-1), await compose().catch(giveUp)];
        before?.passTo(another);
        lives.push(another);
        photographer = photographs(another);
        return another;
      },
    },
  );
  if (predecessor === undefined) {
    const from = join(root, 'examples/hello');
    const offer = { from, url: bases.platform, ownToken: config.token === undefined };
    const example = await offerExample(paths, life.composed.git, offer, logger);
    greet(
      bases.platform,
      life.doors.sessions.makeCode({ name: 'admin' }).code,
      life.composed.store.list().length === 0 ? example : undefined,
      bases.apps,
    );
  }

  const settled = setTimeout(collectGarbage, SETTLED_MS).unref();

  if (config.unsafeOrigin) logger.warn(unsafeOrigin(bases.platform));

  const servers = [server, ...(appsServer === undefined ? [] : [appsServer])];
  const stopped = stop.wanted().then(async (how) => {
    await reload.settled();
    return how;
  });
  const successor = await Promise.race([reload.succeeded, stopped.then(() => undefined)]);
  const last = lives.at(-1) ?? life;
  clearTimeout(settled);
  if (successor !== undefined) {
    const limitMs = config.drain.limitMs;
    await later.close();
    await passOn({
      ...{ successor, life: last, board, servers, limitMs, logger },
      predecessor: predecessor?.ended(),
      signal: stop.asked,
    });
    await logFolder?.close();
    return { by: 'reload', record: paths.server, asked: stop.asked };
  }
  const { keepApps } = await stopped;
  logger.info(keepApps ? 'Stopping the server. Apps keep running.' : 'Stopping the server and all apps.');
  await later.close();
  await photographer?.close();
  await last.composed.rest();
  await last.doors.hooks.close();
  board.closeSockets();
  await Promise.all(servers.map((one) => close(one)));
  await last.end({ keepApps });
  await logFolder?.close();
  // On a read-only disk it stays, and the next server finds that nobody has its pid.
  await removeServerRecord(paths.server).catch((error: unknown) =>
    logger.warn({ err: error }, 'the record of this server could not be removed'),
  );
  return { by: 'stop' };
}
