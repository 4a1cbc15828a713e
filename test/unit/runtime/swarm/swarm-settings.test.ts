import { expect, it } from 'vitest';
import { swarmSettings } from '../../../../src/runtime/swarm/swarm-settings.js';

function settings(values: Record<string, string>, wanted = true) {
  const mistakes: string[] = [];
  return { found: swarmSettings((name) => values[name], wanted, mistakes), mistakes };
}

it('the settings of a Swarm are an address of the server and a registry', () => {
  expect(settings({}, false).found).toBeUndefined();
  expect(settings({ SWARM_ADDRESS: '10.0.0.5:8400', SWARM_REGISTRY: 'registry.example.com:5000/apps' })).toEqual({
    found: {
      ...{ server: { host: '10.0.0.5', port: 8_400 }, registry: 'registry.example.com:5000/apps', storage: 'local' },
    },
    mistakes: [],
  });
  const shared = { SWARM_ADDRESS: '10.0.0.5:8400', SWARM_REGISTRY: 'r', SWARM_STORAGE: 'shared' };
  expect(settings(shared).found?.storage).toBe('shared');
  expect(settings({ SWARM_ADDRESS: '[fd00::5]:8400', SWARM_REGISTRY: 'r' }).found?.server.host).toBe('fd00::5');
});

it('each one that is missing or wrong is named', () => {
  expect(settings({}).mistakes).toEqual([
    expect.stringContaining('STREAMLIT_HOST_SWARM_ADDRESS must be a host and a port'),
    expect.stringContaining('STREAMLIT_HOST_SWARM_REGISTRY must be a registry'),
  ]);
  expect(settings({ SWARM_ADDRESS: '10.0.0.5:99999', SWARM_REGISTRY: 'http://r' }).mistakes).toHaveLength(2);
  expect(settings({ SWARM_ADDRESS: '10.0.0.5:8400', SWARM_REGISTRY: 'r', SWARM_STORAGE: '/nfs' }).mistakes).toEqual([
    'STREAMLIT_HOST_SWARM_STORAGE must be local or shared (found /nfs).',
  ]);
});
