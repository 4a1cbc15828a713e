// npm start: set-up where it is needed, then the server, in this process.
import { main, setUp } from './lib/setup.js';

await main(async () => {
  await setUp({ built: async () => (await import('../dist/main.js')).load() });
  const server = await import('../dist/main.js');
  await server.main();
});
