import { randomBytes } from 'node:crypto';
import type { Deploy } from '../deploys/ongoing.js';
import type { HeadStarts } from '../deploys/head-starts.js';
import {
  deployBranchOf,
  howToChoose,
  howToDeploy,
  isBranchSettled,
  isCreation,
  parsePushOptions,
  parseUpdate,
  planRef,
  PUSH_OPTIONS,
  type PreviewRule,
  type RefPlan,
  type RefUpdate,
} from '../domain/app/push.js';
import { printable, type App } from '../domain/app/app.js';
import { LAYOUT_KEYS, LAYOUT_NAMES, type LayoutChange } from '../domain/project/layout.js';
import type { Principal } from '../domain/access/principal.js';
import { Refusal, refusalOf } from '../errors.js';
import type { AppStore } from '../store/apps.js';
import { Announcement } from './announcement.js';
import { harmless } from './harmless.js';
import { HookGone, type HookCall } from './hook-server.js';
import { FLUSH, PktReader, pkt } from './pkt.js';
import type { Claims } from '../lib/claims.js';
import { asClause } from '../lib/words.js';

/** Deploys, for pushes. */
export interface PushDeploys {
  /**
   * @param env lets git see objects that are not accepted yet
   * @param layout where in the repository the app is, as far as the push says so
   * @throws Refusal where this commit cannot become a release
   */
  inspect(app: string, commit: string, env: Record<string, string>, layout: LayoutChange): Promise<void>;
  /** Keeps where in the repository an app is. @throws Refusal `layout-invalid` */
  chooseLayout(app: string, layout: LayoutChange): Promise<void>;
  request(input: {
    app: string;
    commit: string;
    branch: string;
    by: Principal;
    source: 'push';
    seen: string | null;
    fresh: boolean;
  }): Promise<Deploy>;
  /** Records the deploy branch. */
  adoptBranch(app: string, branch: string): Promise<void>;
}

/** Previews, for pushes. */
export interface PushPreviews {
  isOn(app: App): boolean;
  find(app: string, branch: string): App | undefined;
  /** Returns the preview of a branch, and creates it if necessary. @returns its id */
  ensure(app: string, branch: string): Promise<string>;
  /** Deletes the preview of a branch. @returns its id, where there was one */
  removeOf(app: string, branch: string): Promise<string | undefined>;
}

export interface PushOptions {
  apps: AppStore;
  deploys: PushDeploys;
  previews: PushPreviews;
  headStarts: Pick<HeadStarts, 'begin' | 'settle'>;
  /** Returns the function that hides the values of an app's config. */
  mask: (app: string) => Promise<(text: string) => string>;
  /** Returns an app's URL. */
  url: (app: string) => string;
  /** Counts the pushes that are received and decided; not those that only wait for their deploys. */
  changes?: Pick<Claims, 'take'>;
  logger: { warn(facts: object, text: string): void; error(facts: object, text: string): void };
}

interface Push {
  app: string;
  by: Principal;
  announcement: Announcement;
  /** The apps that it will deploy, as far as known. */
  deploys: readonly string[];
  /** Ends its count among the changes in progress. */
  settle: () => void;
  /** True once it named a ref. */
  named: boolean;
  /** True once one of them was accepted. */
  taken: boolean;
}

/** A ref whose commit becomes a release. */
type DeployPlan = Extract<RefPlan, { kind: 'deploy' | 'preview' }>;

/** The longest reason that git shows completely, in characters. */
const MAX_REASON = 300;

/** Handles pushes in progress, and answers each of their refs. */
export class Pushes {
  readonly #options: PushOptions;
  readonly #pushes = new Map<string, Push>();

  constructor(options: PushOptions) {
    this.#options = options;
  }

  /** @returns the secret by which the push's hooks prove that they belong to it */
  open(app: string, by: Principal): string {
    const secret = randomBytes(24).toString('base64url');
    const fate = { named: false, taken: false };
    this.#pushes.set(secret, {
      ...{ app, by, announcement: new Announcement(), deploys: [], settle: this.#count() },
      ...fate,
    });
    return secret;
  }

  /** Reads the body of a push as it arrives: its deploys are known before its objects are complete. */
  receive(secret: string, bytes: Uint8Array): void {
    const { apps, headStarts } = this.#options;
    const push = this.#pushes.get(secret);
    const updates = push?.announcement.read(bytes);
    const app = push === undefined ? undefined : apps.find(push.app);
    if (push === undefined || updates === undefined) return;
    push.named = updates.length > 0;
    if (app === undefined) return;
    push.deploys = this.#plans(app, updates).flatMap(({ plan }) =>
      plan.kind === 'deploy'
        ? app.id
        : plan.kind === 'preview'
          ? (this.#options.previews.find(app.id, plan.branch)?.id ?? [])
          : [],
    );
    for (const id of push.deploys) headStarts.begin(id);
  }

  /** @returns whether it was refused, by us or by git itself: it named refs, and none was accepted */
  close(secret: string): { refused: boolean } {
    const push = this.#pushes.get(secret);
    for (const id of push?.deploys ?? []) this.#options.headStarts.settle(id);
    push?.settle();
    this.#pushes.delete(secret);
    return { refused: push?.named === true && !push.taken };
  }

  #count(): () => void {
    return this.#options.changes?.take() ?? (() => undefined);
  }

  /** Answers one hook. */
  async handle(call: HookCall): Promise<void> {
    const push = this.#pushes.get(call.push);
    if (push === undefined) {
      // The hooks of a push that takes longer than a reload waits for reach the server after it.
      call.say('The server was reloaded while it received this push. Push again.');
      return call.exit(1);
    }
    try {
      call.exit(call.hook === 'pre-receive' ? await this.#preReceive(push, call) : await this.#procReceive(push, call));
    } catch (error) {
      if (error instanceof HookGone) {
        this.#options.logger.warn({ app: push.app }, 'a push was cut off');
        return call.exit(1);
      }
      const refusal = refusalOf(error);
      this.#options.logger[refusal === undefined ? 'error' : 'warn']({ app: push.app, err: error }, 'a push failed');
      call.say(`streamlit-host: ${refusal?.message ?? 'Internal error; see the server log.'}`);
      call.exit(1);
    }
  }

  /** Refuses what cannot become a release, while the objects are in quarantine and leave nothing behind. */
  async #preReceive(push: Push, call: HookCall): Promise<number> {
    const parts: Buffer[] = [];
    for await (const part of call.input) parts.push(part);
    const updates = Buffer.concat(parts)
      .toString('utf8')
      .split('\n')
      .flatMap((line) => parseUpdate(line) ?? []);
    const unreadable = updates.find(({ ref }) => ref.includes('\uFFFD'));
    if (unreadable !== undefined) {
      call.say(`The name ${printable(unreadable.ref)} is not valid UTF-8. Rename it and push again.`);
      return 1;
    }
    const app = this.#options.apps.get(push.app);
    for (const { update, plan } of this.#plans(app, updates)) {
      if (plan.kind !== 'deploy' && plan.kind !== 'preview') continue;
      const preview = plan.kind === 'preview' ? this.#options.previews.find(push.app, plan.branch)?.id : undefined;
      try {
        const { layout } = parsePushOptions(call.options);
        await this.#options.deploys.inspect(preview ?? push.app, update.new, call.env, layout);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        call.say('');
        call.say(`${push.app} was not deployed: ${await this.#reason(push.app, error)}.`);
        call.say('');
        for (const line of howToChoose(error, plan.branch)) call.say(line);
        return 1;
      }
    }
    return 0;
  }

  /** Deploys, and answers each ref (https://git-scm.com/docs/githooks#proc-receive). */
  async #procReceive(push: Push, call: HookCall): Promise<number> {
    const asked = await readRequest(call);
    const app = this.#options.apps.get(push.app);
    const branch = deployBranchOf(app.deployBranch, asked.updates, isBranchSettled(app));
    if (
      branch !== null &&
      branch !== app.deployBranch &&
      asked.updates.some((update) => planRef(update, branch, this.#previewRule(app)).kind === 'deploy')
    ) {
      await this.#options.deploys.adoptBranch(push.app, branch);
    }
    for (const update of asked.updates) {
      const lines = await this.#answer(push, update, branch, asked.options, call);
      if (lines[0]?.startsWith('ok ') === true) push.taken = true;
      for (const line of lines) call.answer(pkt(line));
    }
    const plans = asked.updates.map((update) => planRef(update, branch, this.#previewRule(app)));
    const [first] = plans;
    if (plans.every(({ kind }) => kind === 'store') && first?.kind === 'store' && first.branch !== undefined)
      for (const line of howToDeploy(push.app, first.branch, branch ?? 'main')) call.say(line);
    call.answer(FLUSH);
    return 0;
  }

  async #answer(
    push: Push,
    update: RefUpdate,
    branch: string | null,
    options: readonly string[],
    call: HookCall,
  ): Promise<string[]> {
    const plan = planRef(update, branch, this.#previewRule(this.#options.apps.get(push.app)));
    switch (plan.kind) {
      case 'refuse':
        return [`ng ${update.ref} ${oneLine(plan.reason)}`];
      case 'store':
        call.say(plan.say);
        return [`ok ${update.ref}`, 'option fall-through'];
      case 'end-preview': {
        const ended = await this.#options.previews.removeOf(push.app, plan.branch);
        call.say(`Deleted branch ${plan.branch}${ended === undefined ? '' : ` and its preview ${ended}`}.`);
        return [`ok ${update.ref}`, 'option fall-through'];
      }
      case 'preview':
      case 'deploy': {
        const reason = await this.#deploy(push, update, plan, options, call);
        return [reason === undefined ? `ok ${update.ref}` : `ng ${update.ref} ${oneLine(reason)}`];
      }
    }
  }

  /** Plans what to do with each ref. */
  #plans(app: App, updates: readonly RefUpdate[]): { update: RefUpdate; plan: RefPlan }[] {
    const branch = deployBranchOf(app.deployBranch, updates, isBranchSettled(app));
    const previews = this.#previewRule(app);
    return updates.map((update) => ({ update, plan: planRef(update, branch, previews) }));
  }

  #previewRule(app: App): PreviewRule {
    const { previews } = this.#options;
    return {
      on: previews.isOn(app),
      has: (branch) => previews.find(app.id, branch) !== undefined,
      how: `To give each branch its own URL, turn on previews in the settings of ${app.id} in the console.`,
    };
  }

  /** Why something was refused, for the pusher's eyes. */
  async #reason(app: string, refusal: Refusal): Promise<string> {
    const hide = await this.#options.mask(app);
    return hide(asClause(refusal.message));
  }

  /** @returns why the push is refused; undefined when it is not */
  async #deploy(
    push: Push,
    update: RefUpdate,
    { kind, branch }: DeployPlan,
    options: readonly string[],
    call: HookCall,
  ): Promise<string | undefined> {
    let app: string;
    let deploy: Deploy;
    let nowait: boolean;
    try {
      const { unknown, drainMinutes, layout, fresh, ...asked } = parsePushOptions(options);
      nowait = asked.nowait;
      for (const option of unknown) call.say(`Unknown push option "${printable(option)}". Supported: ${PUSH_OPTIONS}.`);
      const seen = isCreation(update) ? null : update.old;
      app = kind === 'preview' ? await this.#options.previews.ensure(push.app, branch) : push.app;
      if (Object.keys(layout).length > 0) await this.#options.deploys.chooseLayout(app, layout);
      for (const line of remembered(app, layout)) call.say(line);
      deploy = await this.#options.deploys.request({
        app,
        commit: update.new,
        branch,
        by: push.by,
        source: 'push',
        seen,
        fresh,
        ...(drainMinutes === undefined ? {} : { drainMinutes }),
      });
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal !== undefined) return await this.#reason(push.app, refusal);
      throw error;
    }
    if (nowait) {
      call.say(`Release ${deploy.release} of ${app} is queued. ${branch} is updated once it is live.`);
      return undefined;
    }
    const stop = deploy.follow((line) => call.say(line));
    push.settle();
    try {
      const release = await deploy.done;
      push.settle = this.#count();
      switch (release.state) {
        case 'failed':
          return `${asClause(release.reason ?? 'the deploy failed')}${typeof this.#options.apps.find(app)?.live === 'number' ? `; ${app} is unchanged` : ''}`;
        case 'superseded':
          return release.reason ?? 'superseded by a newer push';
        case 'cancelled':
          return 'the deploy was cancelled';
        case 'queued':
        case 'building':
        case 'starting':
          return 'the server is stopping; the deploy continues once it is back';
        default:
          call.say('');
          call.say(`${app} is live: ${this.#options.url(app)}`);
          call.say('');
          return undefined;
      }
    } finally {
      stop();
    }
  }
}

/** What a pusher is told of options that later pushes keep to. */
function remembered(app: string, layout: LayoutChange): string[] {
  return LAYOUT_KEYS.flatMap((key) => {
    const path = layout[key];
    if (path === undefined) return [];
    return path === ''
      ? `The ${LAYOUT_NAMES[key]} of ${app} is found automatically from now on.`
      : `The ${LAYOUT_NAMES[key]} of ${app} is ${printable(path)} from now on. To undo that, push with -o ${key}=`;
  });
}

interface Asked {
  updates: RefUpdate[];
  options: string[];
}

async function readRequest(call: HookCall): Promise<Asked> {
  const reader = new PktReader();
  const updates: RefUpdate[] = [];
  const options: string[] = [];
  // version, commands and, where both sides know them, push options: each part ends with a flush.
  let part = 0;
  let withOptions = false;
  for await (const chunk of call.input) {
    for (const packet of reader.push(chunk)) {
      if (packet === null) {
        part += 1;
        if (part === 1)
          call.answer(Buffer.concat([pkt(withOptions ? 'version=1\0push-options\n' : 'version=1\n'), FLUSH]));
        if (part === (withOptions ? 3 : 2)) return { updates, options };
        continue;
      }
      const text = packet.toString('utf8').replace(/\n$/, '');
      if (part === 0) withOptions = text.includes('\0') && /\bpush-options\b/.test(text.slice(text.indexOf('\0')));
      else if (part === 1) {
        const update = parseUpdate(text);
        if (update === undefined) throw new Error(`git sent "${text}"`);
        updates.push(update);
      } else options.push(text);
    }
  }
  // It was killed.
  const sentence = 'Git on the server ended before it said what is pushed. Push again.';
  throw new Refusal('unavailable', 'git-failed', sentence);
}

function oneLine(text: string): string {
  const line = harmless(text).replace(/\s+/g, ' ').trim();
  return line.length > MAX_REASON ? `${line.slice(0, MAX_REASON - 1)}…` : line;
}
