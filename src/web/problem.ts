import { STATUS_CODES } from 'node:http';
import type { Context, Middleware } from 'koa';
import { TooManyAttempts } from '../domain/access/attempts.js';
import { Refusal, refusalOf, type RefusalCode } from '../errors.js';
import type { Logger } from '../logger.js';
import { wordsIn } from './language.js';
import { asSentence } from '../lib/words.js';

/** The code of a problem: that of a Refusal, or of what the web's own libraries refuse. */
export type ProblemCode =
  | RefusalCode
  | 'bad-request'
  | 'field-too-large'
  | 'form-invalid'
  | 'form-too-many-fields'
  | 'internal-error'
  | 'method-not-allowed'
  | 'not-acceptable'
  | 'not-found'
  | 'unsupported-media-type'
  | 'upload-too-many-files';

/** An error, for programs. @see https://www.rfc-editor.org/rfc/rfc9457 */
export interface Problem {
  type: string;
  title: string;
  status: number;
  /** One or two sentences for the person who reads it. */
  detail: string;
  /** Stable: scripts may rely on it. */
  code: ProblemCode;
  /** The input at fault, where there is one. */
  field?: string;
  /** What could be meant instead, where that is known. */
  choices?: readonly string[];
  /** The requested path. */
  instance: string;
}

/** True where a path belongs to the API; the router does not care for case either. */
export function isApi(path: string): boolean {
  return /^\/api(\/|$)/i.test(path);
}

/**
 * Turns whatever was thrown into a problem. Unexpected errors reveal nothing: their details belong in the log.
 * @param instance the requested path
 */
export function problemOf(error: unknown, instance: string): Problem {
  const refusal = refusalOf(error);
  if (refusal !== undefined) {
    const found = problem(refusal.status, refusal.code, refusal.message, instance, refusal.field);
    return refusal.choices.length === 0 ? found : { ...found, choices: refusal.choices };
  }
  if (isMulterError(error)) return multerProblem(error, instance);
  // The sender's mistake, although its number says that it is ours.
  if (isHttpError(error) && error.status === 501)
    return problem(501, 'method-not-allowed', 'This method is not supported.', instance);
  if (isHttpError(error))
    return problem(error.status, httpCode(error.status), asSentence(error.message.slice(0, 300)), instance);
  return problem(500, 'internal-error', 'Internal error; see the server log.', instance);
}

export interface ErrorOptions {
  /** An error as a page for people. */
  page(ctx: Context, status: number, sentence: string): string;
  logger: Logger;
}

/**
 * The one place that answers for errors, also for the page that is not there: problem details below `/api`, a page for
 * people everywhere else.
 */
export function answerErrors(options: ErrorOptions): Middleware {
  return async (ctx, next) => {
    try {
      await next();
      if (ctx.status === 404 && (ctx.body === undefined || ctx.body === null) && ctx.respond !== false) {
        const what = isApi(ctx.path)
          ? 'No such API endpoint. See /api/docs for all of them.'
          : 'This page does not exist.';
        answer(ctx, problem(404, 'not-found', what, ctx.path), options);
      }
    } catch (error) {
      const found = problemOf(error, ctx.path);
      if (found.status >= 500 && found.status !== 501 && !(error instanceof Refusal)) {
        // A sender who left in the middle of a body is an everyday event.
        const left = ctx.req.destroyed && !ctx.req.readableEnded;
        options.logger[left ? 'debug' : 'error'](
          { err: error, method: ctx.method, path: ctx.path },
          left ? 'the client disconnected' : 'a request failed',
        );
      }
      if (ctx.headerSent) throw error;
      if (error instanceof TooManyAttempts) ctx.set('Retry-After', String(error.retryAfter));
      if (found.status === 401) ctx.set('WWW-Authenticate', 'Bearer realm="streamlit-host"');
      for (const [name, value] of Object.entries(headersOf(error))) ctx.set(name, value);
      answer(ctx, found, options);
    }
  };
}

function answer(ctx: Context, found: Problem, options: ErrorOptions): void {
  ctx.status = found.status;
  ctx.set('Cache-Control', 'no-store');
  if (isApi(ctx.path)) {
    // The API speaks English, except to the scripts of our own pages, which show what it answers.
    const shown = ctx.get('X-CSRF-Token') === '' ? found.detail : wordsIn(ctx).sentence(found.detail);
    ctx.body = JSON.stringify({ ...found, detail: shown });
    ctx.set('Content-Type', 'application/problem+json; charset=utf-8');
  } else {
    ctx.body = options.page(ctx, found.status, found.detail);
    ctx.set('Content-Type', 'text/html; charset=utf-8');
  }
}

function problem(status: number, code: ProblemCode, detail: string, instance: string, field?: string): Problem {
  return {
    type: `urn:streamlit-host:problem:${code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    code,
    ...(field === undefined ? {} : { field }),
    instance,
  };
}

interface MulterError extends Error {
  code: string;
  field?: string;
}

function isMulterError(error: unknown): error is MulterError {
  return error instanceof Error && error.name === 'MulterError' && 'code' in error && typeof error.code === 'string';
}

const MULTER: Record<string, [status: number, code: ProblemCode, sentence: string]> = {
  LIMIT_FILE_SIZE: [
    413,
    'upload-too-large',
    'A file in the upload is too large. Leave out files the app does not need.',
  ],
  LIMIT_FILE_COUNT: [413, 'upload-too-many-files', 'The upload has too many files. Send them as one archive.'],
  LIMIT_PART_COUNT: [413, 'upload-too-many-files', 'The form has too many parts. Send the files as one archive.'],
  LIMIT_FIELD_COUNT: [413, 'form-too-many-fields', 'The form has too many fields.'],
  LIMIT_FIELD_VALUE: [413, 'field-too-large', 'A form field is too long.'],
};

function multerProblem(error: MulterError, instance: string): Problem {
  const [status, code, text] = MULTER[error.code] ?? [
    422,
    'form-invalid',
    `The form is invalid. ${asSentence(error.message)}`,
  ];
  return problem(status, code, text, instance, error.field);
}

interface HttpError extends Error {
  status: number;
  expose: boolean;
}

/** What Koa and its middleware throw; `expose` says that the message was meant for the sender. */
function isHttpError(error: unknown): error is HttpError {
  if (!(error instanceof Error && 'status' in error && 'expose' in error)) return false;
  if (error.status === 501) return true;
  return typeof error.status === 'number' && error.status >= 400 && error.status < 500 && error.expose === true;
}

const HTTP_CODES: Record<number, ProblemCode> = {
  400: 'bad-request',
  404: 'not-found',
  405: 'method-not-allowed',
  406: 'not-acceptable',
  413: 'body-too-large',
  415: 'unsupported-media-type',
};

function httpCode(status: number): ProblemCode {
  return HTTP_CODES[status] ?? 'bad-request';
}

/** Headers that an error of Koa carries, such as `Allow`. */
function headersOf(error: unknown): Record<string, string> {
  if (!isHttpError(error) || !('headers' in error) || typeof error.headers !== 'object' || error.headers === null)
    return {};
  return error.headers as Record<string, string>;
}
