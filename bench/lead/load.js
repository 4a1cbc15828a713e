// What is asked of a running server, the same for each.
import { readFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';

/** How many pages are open while a server is replaced, and how many requests it gets a second. */
const SOCKETS = 20;
const RATE = 20;
/** How long it gets requests before and after it is replaced, in ms. */
const AROUND_MS = 3_000;

/** @returns the memory of a process, in MB: with its share of what others use too, and what is its own */
export function memoryOf(pid) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kilobytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
  return { pss: kilobytes('Pss') / 1_024, anonymous: kilobytes('Pss_Anon') / 1_024 };
}

/** @returns how long an app's answers take on one connection that is kept, in ms */
export async function answers(rival, count) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times = [];
  for (let number = 0; number < count; number += 1) {
    const begun = performance.now();
    await ask(`${rival.app}_stcore/health`, { agent });
    times.push(performance.now() - begun);
  }
  agent.destroy();
  return times;
}

/** Replaces a server while it gets requests and pages are open. @returns what failed, and of how much */
export async function reloadUnderLoad(rival) {
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => page(rival.app)));
  const lost = new Set();
  for (const socket of sockets) socket.on('close', () => lost.add(socket));
  const asked = [];
  let [done, failed] = [false, 0];
  const asking = (async () => {
    while (!done) {
      asked.push(ask(`${rival.app}_stcore/health`).catch(() => (failed += 1)));
      await sleep(1_000 / RATE);
    }
  })();
  await sleep(AROUND_MS);
  await rival.reload();
  await sleep(AROUND_MS);
  done = true;
  await asking;
  await Promise.all(asked);
  const closed = lost.size;
  for (const socket of sockets) socket.terminate();
  return { failed, requests: asked.length, closed, sockets: sockets.length };
}

/** Waits until a URL answers 200, at most for the limit (ms). */
export async function untilReady(url, limitMs = 120_000) {
  for (const deadline = performance.now() + limitMs; ; await sleep(10)) {
    const ready = await ask(url).then(
      () => true,
      () => false,
    );
    if (ready) return;
    if (performance.now() > deadline) throw new Error(`${url} is not ready`);
  }
}

function ask(url, options = {}) {
  return new Promise((resolve, reject) => {
    const request = get(url, { timeout: 30_000, ...options }, (answer) => {
      answer.resume();
      answer.once('error', reject);
      answer.once('end', () =>
        answer.statusCode === 200 ? resolve() : reject(new Error(`${url}: ${answer.statusCode}`)),
      );
    });
    request.once('timeout', () => request.destroy(new Error(`${url} did not answer`)));
    request.once('error', reject);
  });
}

/** A page that is open, as a browser has it. */
function page(app) {
  const socket = new WebSocket(`${app.replace('http', 'ws')}_stcore/stream`, ['streamlit', 'x'], {
    origin: new URL(app).origin,
  });
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(socket));
    socket.once('error', reject);
  });
}
