import { expect, it } from 'vitest';
import type { BeginSpec, Instance, InstanceRecord, Runtime, Usage } from '../../../src/runtime/runtime.js';
import { Runtimes } from '../../../src/runtime/runtimes.js';

/** A runtime that writes down what it was asked. */
function recorder(kind: string, asked: string[]): Runtime {
  const hear = (what: string): void => void asked.push(`${kind} ${what}`);
  return {
    kind,
    lease: (port) => {
      hear(`lease ${port ?? ''}`);
      return undefined as never;
    },
    begin: ({ app }) => {
      hear(`begin ${app}`);
      return Promise.resolve({ record: { runtime: kind, mark: app } } as Instance);
    },
    adopt: ({ mark }) => {
      hear(`adopt ${mark}`);
      return Promise.resolve(undefined);
    },
    discard: ({ mark }) => Promise.resolve(hear(`discard ${mark}`)),
    provide: (environment) => Promise.resolve(`${kind} provides ${environment}`),
    forget: (environment) => Promise.resolve(hear(`forget ${environment}`)),
    isForeign: () => Promise.resolve(true),
    sweep: (keep) => Promise.resolve(hear(`sweep ${[...keep].join()}`)),
    usage: () => new Map([[kind, { memory: 1, processes: 1, cpuSeconds: 0 } satisfies Usage]]),
  };
}

const spec = { app: 'demo' } as BeginSpec;
const confined = { ...spec, confines: {} } as BeginSpec;
const record = (runtime: string): InstanceRecord => ({ runtime, mark: 'one' });

it('begins what has confines in one runtime, and all else, with its ports, in the other', async () => {
  const asked: string[] = [];
  const runtimes = new Runtimes({ processes: recorder('process', asked), confined: recorder('docker', asked) });
  expect(runtimes.kind).toBe('docker');
  await runtimes.begin(confined);
  await runtimes.begin(spec);
  runtimes.lease(8501);
  expect(asked).toEqual(['docker begin demo', 'process begin demo', 'process lease 8501']);
});

it('leaves each record to the runtime that it names, and one of an unknown runtime alone', async () => {
  const asked: string[] = [];
  const processes = recorder('process', asked);
  const runtimes = new Runtimes({ processes, confined: processes, others: [recorder('docker', asked)] });
  await runtimes.adopt(record('docker'));
  await runtimes.discard(record('process'));
  expect(await runtimes.isForeign(record('docker'))).toBe(true);
  expect([await runtimes.adopt(record('swarm')), await runtimes.isForeign(record('swarm'))]).toEqual([
    undefined,
    false,
  ]);
  await runtimes.discard(record('swarm'));
  await runtimes.sweep(new Set(['one']));
  expect(asked).toEqual(['docker adopt one', 'process discard one', 'process sweep one', 'docker sweep one']);
  expect([...runtimes.usage().keys()]).toEqual(['process', 'docker']);
});

it('provides an environment for what has confines, and forgets it everywhere', async () => {
  const asked: string[] = [];
  const runtimes = new Runtimes({
    ...{ processes: recorder('process', asked), confined: recorder('swarm', asked) },
    others: [recorder('docker', asked)],
  });
  expect(await runtimes.provide('/e/1')).toBe('swarm provides /e/1');
  await runtimes.forget('/e/1');
  expect(asked).toEqual(['process forget /e/1', 'swarm forget /e/1', 'docker forget /e/1']);
});
