import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { DevTools } from '../../../src/pictures/devtools.js';
import { photograph } from '../../../src/pictures/photograph.js';

test('a browser that a page controls cannot end the server with a request that has no address', async () => {
  const [to, from] = [new PassThrough(), new PassThrough()];
  const refused: unknown[] = [];
  to.on('data', (bytes: Buffer) => {
    for (const text of bytes.toString().split('\0').slice(0, -1)) {
      const { id, method, params } = JSON.parse(text) as { id: number; method: string; params: unknown };
      if (method === 'Fetch.failRequest') refused.push(params);
      if (method === 'Page.navigate')
        for (const odd of ['{}', '{"request":null}', '{"requestId":1,"request":{"url":[]}}'])
          from.write(`{"method":"Fetch.requestPaused","params":${odd}}\0`);
      from.write(method === 'Runtime.evaluate' ? 'gone\0' : `{"id":${id},"result":{}}\0`);
    }
  });
  const picture = photograph(new DevTools(to, from), 'http://localhost/apps/a/', [], new AbortController().signal);
  await expect(picture).rejects.toThrow('the browser is gone');
  expect(refused).toHaveLength(3);
});
