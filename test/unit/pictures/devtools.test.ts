import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { DevTools, type DevToolsEvent } from '../../../src/pictures/devtools.js';

function browser(): { devtools: DevTools; to: PassThrough; from: PassThrough; sent: () => unknown[] } {
  const [to, from] = [new PassThrough(), new PassThrough()];
  let text = '';
  to.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return {
    devtools: new DevTools(to, from),
    to,
    from,
    sent: () =>
      text
        .split('\0')
        .slice(0, -1)
        .map((one) => JSON.parse(one) as unknown),
  };
}

test('every answer is matched with its request, in any order and in any pieces', async () => {
  const { devtools, from, sent } = browser();
  const events: DevToolsEvent[] = [];
  devtools.on((event) => events.push(event));
  const [first, second] = [devtools.send('A.one', { x: 1 }), devtools.send('B.two', {}, 'page')];
  const answers = `{"id":2,"result":{"b":"ü"}}\0{"method":"C.three","params":{"y":2}}\0{"id":1,"result":{"a":1}}\0`;
  const bytes = Buffer.from(answers);
  for (let at = 0; at < bytes.length; at += 5) from.write(bytes.subarray(at, at + 5));
  expect(await Promise.all([first, second])).toEqual([{ a: 1 }, { b: 'ü' }]);
  expect(events).toEqual([{ method: 'C.three', params: { y: 2 } }]);
  expect(sent()).toEqual([
    { id: 1, method: 'A.one', params: { x: 1 } },
    { id: 2, method: 'B.two', params: {}, sessionId: 'page' },
  ]);
});

test('a refusal by the browser is an error with its message', async () => {
  const { devtools, from } = browser();
  const asked = devtools.send('A.one');
  from.write('{"id":1,"error":{"code":-32000,"message":"Cannot do that"}}\0');
  await expect(asked).rejects.toThrow('Cannot do that');
});

test('an invalid message closes the connection, and does nothing else', async () => {
  const { devtools, from } = browser();
  const asked = devtools.send('A.one');
  from.write('Segmentation fault\0');
  await expect(asked).rejects.toThrow('the browser is gone');
});

test('nobody waits for a browser that has exited', async () => {
  const { devtools, from } = browser();
  const asked = devtools.send('A.one');
  from.destroy();
  await expect(asked).rejects.toThrow('the browser is gone');
  await expect(devtools.send('A.two')).rejects.toThrow('A.two: the browser is gone');
});

test.each(['null', '1', '[]', '{"id":{}}', '{"method":1}', '{"method":"A.b","params":null}', '{"id":1,"error":null}'])(
  'a browser that a page controls cannot end the server with %s',
  async (text) => {
    const { devtools, from } = browser();
    const asked = devtools.send('A.one');
    from.write(`${text}\0{"id":1,"result":{}}\0`);
    await expect(asked).rejects.toThrow('the browser is gone');
  },
);

test('a message without an end closes the connection', async () => {
  const { devtools, from } = browser();
  const asked = devtools.send('A.one');
  const piece = 'x'.repeat(1024 * 1024);
  for (let count = 0; count < 20; count += 1) from.write(piece);
  await expect(asked).rejects.toThrow('the browser is gone');
});
