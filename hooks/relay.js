'use strict';
/* global require, module */
// What both hooks do: tell the server who they are, hand it what git says, and give back what it answers. Every decision
// is the server's; a hook holds none, so it never goes stale.
const net = require('node:net');

const STDOUT = 1;
const STDERR = 2;
const EXIT = 3;
// The server knows none that is longer.
const MOST_OPTIONS = 32;
const LONGEST_OPTION = 1_000;

/** @param {string} hook the hook's own name */
module.exports = function relay(hook) {
  const env = process.env;
  const socket = net.connect(env.STREAMLIT_HOST_HOOKS ?? '');
  let done = false;
  const fail = () => {
    if (done) return;
    done = true;
    process.stderr.write(
      'streamlit-host: lost the connection to the server. Any deploy continues once it is back; push again to see the result.\n',
    );
    process.exitCode = 1;
    process.stdin.destroy();
  };
  socket.on('error', fail);
  socket.on('close', fail);
  // https://git-scm.com/docs/githooks#pre-receive
  const options = Array.from({ length: Math.min(Number(env.GIT_PUSH_OPTION_COUNT) || 0, MOST_OPTIONS) }, (_, at) =>
    (env[`GIT_PUSH_OPTION_${at}`] ?? '').slice(0, LONGEST_OPTION),
  );
  socket.write(
    `${JSON.stringify({
      hook,
      options,
      push: env.STREAMLIT_HOST_PUSH,
      env: {
        GIT_QUARANTINE_PATH: env.GIT_QUARANTINE_PATH,
        GIT_OBJECT_DIRECTORY: env.GIT_OBJECT_DIRECTORY,
        GIT_ALTERNATE_OBJECT_DIRECTORIES: env.GIT_ALTERNATE_OBJECT_DIRECTORIES,
      },
    })}\n`,
  );
  process.stdin.pipe(socket, { end: false });
  // pre-receive ends its list by closing it; proc-receive ends each part with a packet of its own.
  process.stdin.on('end', () => hook === 'pre-receive' && socket.end());
  process.stdin.on('error', () => undefined); // git went away; the server notices by the socket's end.
  process.stdout.on('error', () => undefined); // Likewise: the deploy goes on without a reader.
  process.stderr.on('error', () => undefined);

  let rest = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5) {
      const size = rest.readUInt32BE(1);
      if (rest.length < 5 + size) return;
      const body = rest.subarray(5, 5 + size);
      if (rest[0] === STDOUT) process.stdout.write(body);
      else if (rest[0] === STDERR) process.stderr.write(body);
      else if (rest[0] === EXIT) {
        done = true;
        process.exitCode = body[0] ?? 1;
        process.stdin.destroy();
        socket.destroy();
        return;
      }
      rest = rest.subarray(5 + size);
    }
  });
};
