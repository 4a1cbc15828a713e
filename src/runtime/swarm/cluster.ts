import { z } from 'zod';
import { Refusal } from '../../errors.js';
import { EngineError, LABELS, unlessMissing, type Engine } from '../docker/engine.js';
import type { Frame } from '../docker/frame.js';

/** What a registry that needs no login is told (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Image/operation/ImagePush). */
const NO_LOGIN = Buffer.from('{}').toString('base64');
/** How long a push may take, in ms. */
const PUSH_MS = 10 * 60_000;

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
const infoSchema = z.object({ Swarm: z.object({ LocalNodeState: z.string(), ControlAvailable: z.boolean() }) });
const progressSchema = z.object({ error: z.string().optional() });

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

  /** Makes an image known to all machines. @throws Refusal `registry-unavailable` */
  async publish(frame: Frame, registry: string): Promise<string> {
    const { repository, tag } = frame;
    const name = `${registry}/${repository}`;
    await this.engine.import(name, tag, await frame.archive());
    const said = await this.engine.send({
      method: 'POST',
      path: `/images/${name}/push`,
      query: { tag },
      headers: { 'x-registry-auth': NO_LOGIN },
      limitMs: PUSH_MS,
    });
    // It says how far it is, a line each, and last what went wrong.
    const failed = said
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => progressSchema.parse(JSON.parse(line)).error)
      .find((error) => error !== undefined);
    if (failed !== undefined) throw new EngineError(500, failed);
    return `${name}:${tag}`;
  }
}
