import { readFile, realpath, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { hasCode, messageOf, Refusal } from '../../errors.js';
import { Background } from '../../lib/background.js';
import { ensureFolder } from '../../lib/ensure-folder.js';
import { replaceFile } from '../../lib/replace-file.js';
import { Turns } from '../../lib/turns.js';
import { formatSeconds } from '../../lib/units.js';
import { isWithin } from '../../lib/within.js';
import { asClause, counted } from '../../lib/words.js';
import { homeOf } from '../process/cage/bubblewrap.js';
import { baseArchive, type BaseOptions } from './base.js';
import type { Cluster } from './cluster.js';
import { bytecodeIn, LayerError, packArchive, packFolder, type Packing } from './layer.js';
import { digestOf, manifestOf, Registry, RegistryError, type Blob } from './registry.js';

/** The repository of all images; they differ in their tags. */
const REPOSITORY = 'streamlit-host-environment';
/** The tag of the image without an environment. */
const NO_ENVIRONMENT = 'none';

const layerSchema = z.object({ digest: z.string(), size: z.number(), diff: z.string() });
const recordSchema = z.object({
  /** Where it was pushed to, and what is below it. */
  name: z.string(),
  base: z.string(),
  /** Its digest. */
  image: z.string(),
  layers: z.record(z.string(), layerSchema),
});

/** A layer in the registry: as it is stored there, and what it was before it was packed. */
type Layer = z.infer<typeof layerSchema>;
type ImageRecord = z.infer<typeof recordSchema>;

/** What is known of an environment. */
export interface EnvironmentFacts {
  /** The machine's Python that it was made from. */
  python: string | undefined;
  /** True where its bytecode is complete. */
  compiled: boolean;
}

export interface ImagesOptions extends BaseOptions {
  cluster: Pick<Cluster, 'isInsecure' | 'pullAhead'>;
  /** Where the machines get images from: `registry.example.com:5000`. */
  registry: string;
  /** The folders that every machine has of its own. */
  system: readonly string[];
  /** What the marks of this data folder's own services begin with. */
  mark: string;
  /** A folder for what is known of the images that were pushed. */
  records: string;
  facts: (environment: string) => Promise<EnvironmentFacts>;
  logger: { info(facts: object, text: string): void; warn(facts: object, text: string): void };
}

/**
 * The images of environments, one for each: pushed once, and pulled by every machine ahead of its use. An image is made of the base,
 * the Python where it is not the system's, the environment's files, and its bytecode as soon as that is there; each of them is a
 * layer that goes to the registry once.
 */
export class Images {
  readonly #options: ImagesOptions;
  /** The images to be used, by the names of environments. */
  readonly #images = new Map<string, string>();
  readonly #turns = new Turns();
  readonly #background: Background;
  readonly #closing = new AbortController();
  #base: Promise<Buffer> | undefined;

  constructor(options: ImagesOptions) {
    this.#options = options;
    this.#background = new Background((error) => {
      if (!this.#closing.signal.aborted)
        options.logger.warn({ err: error }, 'an environment could not be pulled ahead');
    });
  }

  /** Interrupts what is done in the background. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#background.settled();
  }

  /** Tries whether the registry takes images. @throws Refusal `registry-unavailable` */
  async tryOut(): Promise<void> {
    await this.#telling(this.#turns.take(NO_ENVIRONMENT, () => this.#push(NO_ENVIRONMENT, undefined)));
  }

  /**
   * Returns the name of an image, which is pushed first where that was not done.
   * @param environment its folder; an image without one unless given
   * @throws Refusal `registry-unavailable`, `app-not-started`
   */
  async of(environment?: string): Promise<string> {
    const key = environment === undefined ? NO_ENVIRONMENT : basename(environment);
    return (
      this.#images.get(key) ??
      this.#turns.take(key, async () => {
        const known = this.#images.get(key) ?? (await this.#remembered(key));
        if (known === undefined) return this.#telling(this.#make(key, environment));
        this.#images.set(key, known);
        return known;
      })
    );
  }

  /** Sees to it that there is the newest image of an environment, and that the machines get it. @returns what was done, as a sentence */
  async provide(environment: string): Promise<string | undefined> {
    const key = basename(environment);
    return this.#turns.take(key, async () => {
      const record = await this.#read(key);
      const { compiled } = await this.#options.facts(environment);
      const isNew = record === undefined || (await this.#remembered(key)) === undefined;
      if (!isNew && (!compiled || 'bytecode' in record.layers)) return undefined;
      const begun = performance.now();
      await this.#telling(this.#make(key, environment));
      return `Environment pushed to the registry (${formatSeconds(performance.now() - begun)})`;
    });
  }

  /** Pushes an image again: the registry has lost it. */
  async again(environment: string | undefined): Promise<void> {
    const key = environment === undefined ? NO_ENVIRONMENT : basename(environment);
    this.#images.delete(key);
    await this.#turns.take(key, () => this.#telling(this.#make(key, environment)));
  }

  /** Deletes the image of an environment, as far as the registry allows that. */
  async forget(environment: string): Promise<void> {
    const key = basename(environment);
    await this.#turns.take(key, async () => {
      const record = await this.#read(key);
      this.#images.delete(key);
      if (record === undefined) return;
      await rm(this.#place(key), { force: true });
      const registry = await this.#registry();
      if (record.name === registry.name) await registry.forget(record.image);
    });
  }

  /** Pushes it, and has it used from then on: at once where it is the first one, and otherwise once the machines have it. */
  async #make(key: string, environment: string | undefined): Promise<string> {
    const image = await this.#push(key, environment);
    const first = !this.#images.has(key);
    if (first) this.#images.set(key, image);
    if (environment === undefined) return image;
    this.#background.own(
      this.#pull(key, image).finally(() => {
        // A newer one may have been pushed, or it was forgotten.
        if (this.#images.has(key)) this.#images.set(key, image);
      }),
    );
    return image;
  }

  async #pull(key: string, image: string): Promise<void> {
    const { cluster, mark, logger } = this.#options;
    const begun = performance.now();
    const machines = await cluster.pullAhead(image, mark, this.#closing.signal);
    logger.info(
      { environment: key, ms: Math.round(performance.now() - begun) },
      `an environment is on ${counted(machines, 'machine')}`,
    );
  }

  async #push(key: string, environment: string | undefined): Promise<string> {
    const { facts, system } = this.#options;
    const { signal } = this.#closing;
    const registry = await this.#registry();
    const before = await this.#read(key);
    const known = before?.name === registry.name ? before.layers : {};
    const layers: Record<string, Layer> = {};
    const add = async (name: string, make: () => Packing | Promise<Packing>): Promise<void> => {
      const old = known[name];
      layers[name] = old !== undefined && (await registry.has(old)) ? old : await upload(registry, await make());
    };
    const base = await this.#archive();
    const digest = digestOf(base);
    if (before?.base !== digest) delete known.base;
    await add('base', () => packArchive(base));
    if (environment !== undefined) {
      const { python, compiled } = await facts(environment);
      const home = python === undefined ? undefined : homeOf(python);
      if (home !== undefined && !system.some((one) => isWithin(home, one)))
        await add('python', () => packFolder({ from: home, at: home, bytecode: 'too' }, signal));
      const from = await realpath(environment);
      await add('source', () => packFolder({ from, at: environment }, signal));
      if (compiled)
        await add('bytecode', async () =>
          packFolder({ from, at: environment, bytecode: await bytecodeIn(from) }, signal),
        );
    }
    const config = await registry.put(Buffer.from(JSON.stringify(configOf(Object.values(layers)))));
    // Servers whose data folders have other paths may share a registry.
    const image = await registry.tag(`${key}-${digest.slice(7, 19)}`, manifestOf(config, Object.values(layers)));
    await this.#write(key, { name: registry.name, base: digest, image, layers });
    return `${registry.name}@${image}`;
  }

  /** The image that an earlier server has pushed, where it would be the same now. */
  async #remembered(key: string): Promise<string | undefined> {
    const [record, registry, base] = await Promise.all([this.#read(key), this.#registry(), this.#archive()]);
    if (record?.name !== registry.name || record.base !== digestOf(base)) return undefined;
    return `${record.name}@${record.image}`;
  }

  async #read(key: string): Promise<ImageRecord | undefined> {
    try {
      return recordSchema.parse(JSON.parse(await readFile(this.#place(key), 'utf8')));
    } catch (error) {
      // Where a crash has cut it off, it is pushed again.
      if (hasCode(error, 'ENOENT') || error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
      throw error;
    }
  }

  async #write(key: string, record: ImageRecord): Promise<void> {
    await ensureFolder(this.#options.records, 0o700);
    await replaceFile(this.#place(key), `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  }

  #place(key: string): string {
    return join(this.#options.records, `${key}.json`);
  }

  #archive(): Promise<Buffer> {
    return (this.#base ??= baseArchive(this.#options));
  }

  /** Asked each time: the machine's Docker may be told another time that it is an insecure one. */
  async #registry(): Promise<Registry> {
    const { cluster, registry } = this.#options;
    const [host = ''] = registry.split('/', 1);
    return new Registry(registry, REPOSITORY, !(await cluster.isInsecure(host)));
  }

  async #telling<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof RegistryError)
        throw new Refusal(
          'unavailable',
          'registry-unavailable',
          `The registry at ${this.#options.registry} does not take images (${asClause(error.message)}). Check STREAMLIT_HOST_SWARM_REGISTRY.`,
        );
      if (!(error instanceof LayerError)) throw error;
      throw new Refusal(
        'unavailable',
        'app-not-started',
        `The environment could not be packed into an image: ${asClause(messageOf(error))}.`,
      );
    }
  }
}

async function upload(registry: Registry, { packed, digest }: Packing): Promise<Layer> {
  const blob: Blob = await registry.stream(packed);
  return { ...blob, diff: digest() };
}

/** https://github.com/opencontainers/image-spec/blob/main/config.md */
function configOf(layers: readonly Layer[]): object {
  return {
    architecture: ARCHITECTURE,
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: layers.map(({ diff }) => diff) },
  };
}

/** What Docker calls the processors that Node names otherwise. */
export const ARCHITECTURE = { x64: 'amd64', ia32: '386' }[process.arch as string] ?? process.arch;
