import { readFile } from 'node:fs/promises';
import { parentPort, Worker } from 'node:worker_threads';
import { Turns } from './turns.js';
import { requireWorkingDirectory } from './working-directory.js';
import { Refusal, type ErrorKind, type RefusalCode } from '../errors.js';

/** What a worker thread may use. */
export interface WorkerLimits {
  /** How long one question may take, in ms, from the moment the worker gets it. */
  workMs: number;
  /** How long the worker may take to start, in ms. */
  startMs: number;
  /** How large its heap may grow, in MiB. */
  memoryMb: number;
  /** How long it may have nothing to do before its thread ends, in ms: the next question starts another. For ever unless told. */
  idleMs?: number;
}

/** Why a question has no answer: it took too long, needed too much memory, or there is no worker. */
export class WorkerFailed extends Error {
  readonly why: 'late' | 'memory' | 'broken';

  constructor(why: WorkerFailed['why'], cause?: unknown) {
    super(`the worker gave no answer: ${why}`, cause === undefined ? undefined : { cause });
    this.name = 'WorkerFailed';
    this.why = why;
  }
}

/** What comes back for a question. */
type Answer =
  | { value: unknown }
  | {
      refusal: {
        kind: ErrorKind;
        code: RefusalCode;
        message: string;
        field: string | undefined;
        choices: readonly string[];
      };
    }
  | { error: { message: string; stack: string | undefined; code: unknown } };

/**
 * A worker thread that is kept warm and answers one question at a time. One that goes beyond a limit is ended, and another
 * one takes its place. It keeps the program running only while it works. All its threads run the same text, whatever an update
 * of the program puts into the place of its file.
 */
export class WarmWorker {
  readonly #file: string;
  readonly #limits: WorkerLimits;
  #program: Promise<Buffer> | undefined;
  readonly #turns = new Turns();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param file what the thread runs: CommonJS without other files, which calls `answerQuestions`. It is read now */
  constructor(file: string, limits: WorkerLimits) {
    this.#file = file;
    this.#limits = limits;
    this.#read().catch(() => undefined); // The first question is told.
  }

  /** Starts the thread, so that the first question need not wait for that. @throws WorkerFailed */
  async warm(): Promise<void> {
    await this.#turns.take('', async () => {
      await this.#ready();
      this.#rest();
    });
  }

  /**
   * Asks once all earlier questions are answered.
   * @param question, like its answer, is copied as by `structuredClone`
   * @throws WorkerFailed, or what the worker's own code threw: a Refusal as it is, other errors by message, stack and code
   */
  async ask(question: unknown): Promise<unknown> {
    const answer = await this.#turns.take('', async () => {
      const worker = await this.#ready();
      try {
        worker.postMessage(question);
        const said = (await nextMessage(worker, this.#limits.workMs)) as Answer;
        this.#rest();
        return said;
      } catch (error) {
        await this.#end(worker);
        // At once, so that the next one is not the one who waits. If it cannot start, that one is told.
        this.warm().catch(() => undefined);
        throw error;
      }
    });
    if ('value' in answer) return answer.value;
    if ('error' in answer) throw Object.assign(new Error(), answer.error);
    const { kind, code, message, field, choices } = answer.refusal;
    throw new Refusal(kind, code, message, { field, choices });
  }

  /** Ends the thread. Questions without an answer end with a WorkerFailed. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idle);
    if (this.#worker !== undefined) await this.#end(this.#worker);
  }

  /** The thread, once it can take a question. */
  async #ready(): Promise<Worker> {
    if (this.#closed) throw new WorkerFailed('broken', 'it was closed');
    clearTimeout(this.#idle);
    if (this.#worker !== undefined) return this.#worker;
    const program = await this.#read().catch((error: unknown) => Promise.reject(new WorkerFailed('broken', error)));
    if (this.#closed) throw new WorkerFailed('broken', 'it was closed');
    const worker = startThread(program.toString(), this.#limits.memoryMb);
    this.#worker = worker;
    worker.once('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
    });
    // Those who wait for a message are told; an error while nobody waits must not end the server.
    worker.on('error', () => undefined);
    try {
      await nextMessage(worker, this.#limits.startMs);
      return worker;
    } catch (error) {
      await this.#end(worker);
      throw new WorkerFailed('broken', error);
    }
  }

  /** What the thread runs; read once, or again where that has failed. */
  #read(): Promise<Buffer> {
    this.#program ??= readFile(this.#file).catch((error: unknown) => {
      this.#program = undefined;
      throw error;
    });
    return this.#program;
  }

  /** Ends the thread once it was idle for long enough: it takes a quarter of the memory of an idle server. */
  #rest(): void {
    const { idleMs } = this.#limits;
    if (idleMs === undefined || this.#closed) return;
    const end = (): void =>
      void this.#turns.take('', async () => {
        if (this.#worker !== undefined) await this.#end(this.#worker);
      });
    this.#idle = setTimeout(end, idleMs).unref();
  }

  async #end(worker: Worker): Promise<void> {
    if (this.#worker === worker) this.#worker = undefined;
    await worker.terminate();
  }
}

/** To be called once by a worker's module: answers all questions that a `WarmWorker` asks it, one at a time. */
export function answerQuestions(answer: (question: unknown) => unknown): void {
  const port = parentPort;
  if (port === null) throw new Error('this module is to be run by a worker thread');
  const say = (what: Answer): void => port.postMessage(what);
  port.on('message', (question: unknown) => {
    Promise.resolve()
      .then(() => answer(question))
      .then((value) => say({ value }))
      .catch((error: unknown) => say(failureOf(error)));
  });
  port.postMessage('ready');
}

/** An error as plain data: a class does not survive the way between two threads. */
function failureOf(error: unknown): Answer {
  if (error instanceof Refusal) {
    const { kind, code, message, field, choices } = error;
    return { refusal: { kind, code, message, field, choices } };
  }
  if (!(error instanceof Error)) return { error: { message: String(error), stack: undefined, code: undefined } };
  return { error: { message: error.message, stack: error.stack, code: 'code' in error ? error.code : undefined } };
}

function startThread(program: string, memoryMb: number): Worker {
  try {
    requireWorkingDirectory();
    // Neither the server's variables nor its flags: it reads what anybody may have sent.
    const worker = new Worker(program, {
      eval: true,
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: memoryMb },
    });
    worker.unref();
    return worker;
  } catch (error) {
    throw new WorkerFailed('broken', error);
  }
}

/** The next that a worker says. @throws WorkerFailed where it says nothing in so many ms, or ends */
function nextMessage(worker: Worker, limitMs: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      worker.off('message', heard).off('messageerror', failed).off('error', failed).off('exit', gone).unref();
    };
    const heard = (message: unknown): void => {
      end();
      resolve(message);
    };
    const failed = (error: unknown): void => {
      end();
      const memory = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      reject(new WorkerFailed(memory ? 'memory' : 'broken', error));
    };
    const gone = (code: number): void => failed(new Error(`it ended with ${code}`));
    const timer = setTimeout(() => {
      end();
      reject(new WorkerFailed('late'));
    }, limitMs);
    worker.on('message', heard).on('messageerror', failed).on('error', failed).on('exit', gone).ref();
  });
}
