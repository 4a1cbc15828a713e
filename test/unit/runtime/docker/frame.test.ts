import { once } from 'node:events';
import { expect, it } from 'vitest';
import { extract } from 'tar-stream';
import { frameOf } from '../../../../src/runtime/docker/frame.js';

const links = new Map([
  ['/lib', 'usr/lib'],
  ['/bin', 'usr/bin'],
]);

it('the image is the links of the machine’s top folder, and has another tag where those differ', async () => {
  const frame = frameOf(links);
  const found: string[] = [];
  const reader = extract();
  reader.on('entry', ({ name, type, linkname = '' }, stream, next) => {
    found.push(`${type} ${name} ${linkname ?? ''}`.trim());
    stream.on('end', next).resume();
  });
  reader.end(await frame.archive());
  await once(reader, 'finish');
  expect(found).toEqual(['symlink bin usr/bin', 'symlink lib usr/lib', 'directory run']);
  expect(frameOf(new Map([...links].reverse())).tag).toBe(frame.tag);
  expect(frameOf(new Map([['/lib', 'usr/lib']])).tag).not.toBe(frame.tag);
});
