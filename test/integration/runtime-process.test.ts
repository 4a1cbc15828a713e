import { Ports } from '../../src/runtime/process/ports.js';
import { startTimeOf } from '../../src/runtime/process/proc.js';
import { ProcessRuntime } from '../../src/runtime/process/process-runtime.js';
import { portRange } from '../helpers/ports.js';
import { runtimeContract } from '../helpers/runtime-contract.js';

runtimeContract({
  name: 'process',
  make: (mark, data) => new ProcessRuntime({ mark, data, tmp: data, sockets: data, ports: new Ports(portRange(10)) }),
  interpreter: [process.execPath],
  runs: (pid) => startTimeOf(pid) !== undefined,
  kill: ({ pid }) => void process.kill(pid ?? 0, 'SIGKILL'),
});
