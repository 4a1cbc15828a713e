import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { Refusal } from '../../errors.js';
import { Deadline } from '../../lib/deadline.js';
import { LABELS, unlessMissing, type Engine } from '../docker/engine.js';
import { describePull } from './service-spec.js';

/** How long it may take until all machines have pulled an image, and how often it is looked whether they have, in ms. */
const PULL_MS = 15 * 60_000;
const PULL_LOOK_MS = 500;

const labelsSchema = z.record(z.string(), z.string()).nullish();
const serviceSchema = z.object({
  ID: z.string(),
  Spec: z.object({ Name: z.string(), Labels: labelsSchema }),
});
const taskSchema = z.object({
  ID: z.string(),
  ServiceID: z.string().optional(),
  NodeID: z.string().optional(),
  Status: z.object({
    State: z.string(),
    Err: z.string().optional(),
    ContainerStatus: z.object({ ExitCode: z.number().optional() }).optional(),
  }),
});
const nodeSchema = z.object({
  ID: z.string(),
  Spec: z.object({ Availability: z.string(), Role: z.string() }),
  Description: z.object({ Hostname: z.string() }),
  Status: z.object({ State: z.string(), Addr: z.string().optional() }),
});
const infoSchema = z.object({
  Swarm: z.object({ LocalNodeState: z.string(), ControlAvailable: z.boolean() }),
  RegistryConfig: z
    .object({
      IndexConfigs: z.record(z.string(), z.object({ Secure: z.boolean() })).nullish(),
      InsecureRegistryCIDRs: z.array(z.string()).nullish(),
    })
    .nullish(),
});

/** What a Swarm answers, by what it was asked for. */
export const swarmAnswers = {
  services: z.array(serviceSchema),
  tasks: z.array(taskSchema),
  nodes: z.array(nodeSchema),
  info: infoSchema,
};

/** What a Swarm knows of a service. */
export type ServiceFacts = z.infer<typeof serviceSchema>;
/** What a Swarm knows of the one task of a service. */
export type TaskFacts = z.infer<typeof taskSchema>;
/** What a Swarm knows of a machine. */
export type NodeFacts = z.infer<typeof nodeSchema>;

/** The states of a task that does not run, and never will (https://docs.docker.com/engine/swarm/how-swarm-mode-works/swarm-task-states/). */
const OVER = new Set(['complete', 'failed', 'shutdown', 'rejected', 'orphaned', 'remove']);

/** True where a task has run. */
export function isOver({ Status: { State: state } }: TaskFacts): boolean {
  return OVER.has(state);
}

/** A Swarm, asked over the socket of one of its managers (https://docs.docker.com/reference/api/engine/). */
export class Cluster {
  readonly engine: Engine;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** Looks whether there is one. @throws Refusal `docker-unavailable` or `swarm-manager-missing` */
  async greet(): Promise<void> {
    await this.engine.greet();
    const { Swarm: swarm } = await this.engine.ask(infoSchema, { method: 'GET', path: '/info' });
    if (swarm.LocalNodeState === 'active' && swarm.ControlAvailable) return;
    throw new Refusal(
      'unavailable',
      'swarm-manager-missing',
      `Docker at ${this.engine.socket} is not a manager of a Swarm. Run "docker swarm init", or "docker node promote" on a manager.`,
    );
  }

  async create(body: object): Promise<void> {
    await this.engine.send({ method: 'POST', path: '/services/create', body });
  }

  /** @returns undefined where there is none by this name */
  async service(name: string): Promise<ServiceFacts | undefined> {
    return unlessMissing(this.engine.ask(serviceSchema, { method: 'GET', path: `/services/${name}` }));
  }

  /** The services with a mark. */
  async marked(): Promise<ServiceFacts[]> {
    const query = { filters: JSON.stringify({ label: [LABELS.mark] }) };
    return this.engine.ask(swarmAnswers.services, { method: 'GET', path: '/services', query });
  }

  /** Does nothing where there is none. Its container ends soon afterwards. */
  async remove(name: string): Promise<void> {
    await unlessMissing(this.engine.send({ method: 'DELETE', path: `/services/${name}` }));
  }

  /** The tasks of a service, also while one that was removed is still being ended. */
  async tasks(name: string): Promise<TaskFacts[]> {
    const query = { filters: JSON.stringify({ name: [name] }) };
    return this.engine.ask(swarmAnswers.tasks, { method: 'GET', path: '/tasks', query });
  }

  /** The tasks that Swarm wants to run. */
  async wantedTasks(): Promise<TaskFacts[]> {
    const query = { filters: JSON.stringify({ 'desired-state': ['running'] }) };
    return this.engine.ask(swarmAnswers.tasks, { method: 'GET', path: '/tasks', query });
  }

  async nodes(): Promise<NodeFacts[]> {
    return this.engine.ask(swarmAnswers.nodes, { method: 'GET', path: '/nodes' });
  }

  /** Whether this machine's Docker is told to use a registry without TLS. @param host with its port, as an image's name has it */
  async isInsecure(host: string): Promise<boolean> {
    const { RegistryConfig: config } = await this.engine.ask(infoSchema, { method: 'GET', path: '/info' });
    const known = config?.IndexConfigs?.[host]?.Secure;
    if (known !== undefined) return !known;
    const [, name = ''] = /^\[?(.*?)\]?(?::\d+)?$/.exec(host) ?? [];
    // As Docker does without being told.
    if (name === 'localhost') return true;
    if (!ipaddr.isValid(name)) return false;
    const address = ipaddr.process(name);
    return (config?.InsecureRegistryCIDRs ?? []).some((range) => {
      const [net, bits] = ipaddr.parseCIDR(range);
      return net.kind() === address.kind() && address.match([net, bits] as never);
    });
  }

  /**
   * Has all machines that get work pull an image, and waits for them.
   * @param mark of the server that wants it
   * @returns how many have it
   */
  async pullAhead(image: string, mark: string, signal: AbortSignal): Promise<number> {
    const name = `streamlit-host-pull-${randomUUID()}`;
    const working = (await this.nodes()).filter(
      ({ Spec, Status }) => Spec.Availability === 'active' && Status.State === 'ready',
    );
    await this.create(describePull(name, image, mark));
    try {
      const deadline = new Deadline(PULL_MS);
      for (;;) {
        await sleep(PULL_LOOK_MS, undefined, { signal, ref: false });
        const tasks = await this.tasks(name);
        const over = tasks.filter(isOver);
        if (deadline.isOver || over.length >= working.length)
          return over.filter(({ Status }) => Status.State === 'complete').length;
      }
    } finally {
      await this.remove(name);
    }
  }

  /** Removes what a server that was killed has left of its pulling. */
  async sweepPulls(mark: string): Promise<void> {
    const query = { filters: JSON.stringify({ label: [`${LABELS.pull}=${mark}`] }) };
    const left = await this.engine.ask(swarmAnswers.services, { method: 'GET', path: '/services', query });
    for (const { Spec } of left) await this.remove(Spec.Name);
  }
}
