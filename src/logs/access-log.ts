import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LogFile } from './log-file.js';

/**
 * Writes a line for each request once it is answered: method, path without its query, status, ms.
 * @returns what sees a request before it is answered
 */
export function accessLog(file: LogFile): (request: IncomingMessage, response: ServerResponse, path: string) => void {
  return (request, response, path) => {
    const begun = performance.now();
    const { method = '-' } = request;
    response.once('close', () => {
      const status = response.headersSent ? response.statusCode : '-';
      // A control character would make two lines of one, or steer the reader's terminal.
      const shown = path.slice(0, 500).replace(/[^\x21-\x7e]/g, '?');
      // That it cannot be written (a full disk) is told by the server's own log.
      file.append(`${method} ${shown} ${status} ${Math.round(performance.now() - begun)} ms`).catch(() => undefined);
    });
  };
}
