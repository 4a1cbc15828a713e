import { createWriteStream } from 'node:fs';
import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../../src/logger.js';

function memory(isTTY: boolean): { stream: NodeJS.WritableStream; text: () => string } {
  let text = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  return { stream: Object.assign(stream, { isTTY }), text: () => text };
}

describe('createLogger', () => {
  it('writes JSON lines if its output is not a terminal', () => {
    const { stream, text } = memory(false);
    createLogger('info', stream).info({ app: 'hello' }, 'started');
    expect(JSON.parse(text())).toMatchObject({
      level: 30,
      app: 'hello',
      msg: 'started',
      time: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    });
  });

  it("writes short lines on a terminal, with an error's stack below", () => {
    const { stream, text } = memory(true);
    createLogger('info', stream).error({ app: 'hello', port: 8501, err: new Error('boom') }, 'crashed');
    expect(text()).toMatch(/^\d\d:\d\d:\d\d error crashed app=hello port=8501\nError: boom\n {4}at /);
  });

  it('obeys its level', () => {
    const { stream, text } = memory(false);
    createLogger('warn', stream).info('nothing');
    expect(text()).toBe('');
  });

  it.each([true, false])(
    'keeps running if its output cannot be written, as on a full disk (terminal: %s)',
    async (isTTY) => {
      const full = Object.assign(createWriteStream('/dev/full'), { isTTY });
      const failed = new Promise<void>((resolve) => full.once('close', () => resolve()));
      const logger = createLogger('info', full, () => undefined);
      logger.info('nobody will read this');
      await failed;
      expect(full.errored).toMatchObject({ code: 'ENOSPC' });
      logger.info('nor this');
    },
  );

  it.each([true, false])('hides secrets at three levels of nesting (terminal: %s)', (isTTY) => {
    const { stream, text } = memory(isTTY);
    const logger = createLogger('info', stream).child({ token: 'geheim0' });
    logger.info(
      {
        secret: 'geheim1',
        a: { password: 'geheim2', b: { cookie: 'geheim3' } },
        req: { headers: { authorization: 'geheim4', 'set-cookie': 'geheim5', host: 'h' } },
      },
      'said',
    );
    expect(text()).not.toContain('geheim');
    expect(text()).toContain('[hidden]');
    expect(text()).toContain('said');
  });
});
