import type { OpenApiDocument } from './openapi.js';

/** The API's document as a person reads it. Every value is there, since the templates are strict. */
export interface ApiDocs {
  title: string;
  version: string;
  description: string;
  server: string;
  groups: { name: string; description: string; calls: CallView[] }[];
}

interface CallView {
  id: string;
  method: string;
  path: string;
  summary: string;
  description: string;
  parameters: ParameterView[];
  bodies: { type: string; fields: ParameterView[] }[];
  answers: { status: string; description: string; types: string }[];
}

interface ParameterView {
  name: string;
  where: string;
  type: string;
  required: boolean;
  description: string;
}

interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  enum?: unknown[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  description?: string;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
}

interface Operation {
  operationId?: string;
  tags?: string[];
  summary?: string;
  description?: string;
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema?: Schema }[];
  requestBody?: { content: Record<string, { schema?: Schema }> };
  responses: Record<string, { description: string; content?: Record<string, unknown> }>;
}

/** Turns the document into what its page shows. */
export function presentDocs(document: OpenApiDocument): ApiDocs {
  const calls = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, Operation>).map(([method, operation]) => ({
      tag: operation.tags?.[0],
      call: presentCall(method, path, operation),
    })),
  );
  return {
    title: document.info.title,
    version: document.info.version,
    description: document.info.description ?? '',
    server: document.servers?.[0]?.url ?? '',
    groups: (document.tags ?? []).map(({ name, description }) => ({
      name,
      description: description ?? '',
      calls: calls.filter(({ tag }) => tag === name).map(({ call }) => call),
    })),
  };
}

function presentCall(method: string, path: string, operation: Operation): CallView {
  return {
    id: operation.operationId ?? '',
    method: method.toUpperCase(),
    path,
    summary: operation.summary ?? '',
    description: operation.description ?? '',
    parameters: (operation.parameters ?? []).map(({ name, in: where, required, description, schema }) => ({
      name,
      where,
      type: typeOf(schema),
      required: required === true,
      description: description ?? schema?.description ?? '',
    })),
    bodies: Object.entries(operation.requestBody?.content ?? {}).map(([type, { schema }]) => ({
      type,
      fields: fieldsOf(schema),
    })),
    answers: Object.entries(operation.responses).map(([status, { description, content }]) => ({
      status: status === 'default' ? 'else' : status,
      description,
      types: Object.keys(content ?? {}).join(', '),
    })),
  };
}

function fieldsOf(schema: Schema | undefined): ParameterView[] {
  return Object.entries(schema?.properties ?? {}).map(([name, field]) => ({
    name,
    where: 'body',
    type: typeOf(field),
    required: schema?.required?.includes(name) === true,
    description: field.description ?? '',
  }));
}

function typeOf(schema: Schema | undefined): string {
  if (schema === undefined) return '';
  if (schema.$ref !== undefined) return schema.$ref.replace(/^.*\//, '');
  if (schema.enum !== undefined) return withDefault(schema.enum.map(String).join(' | '), schema);
  if (schema.type === 'array') return `array of ${typeOf(schema.items)}`;
  if (schema.format === 'binary') return 'file';
  const range =
    schema.minimum === undefined || schema.maximum === undefined ? '' : ` ${schema.minimum}–${schema.maximum}`;
  const length = schema.maxLength === undefined ? '' : `, at most ${schema.maxLength} characters`;
  return withDefault(`${[schema.type].flat().join(' | ')}${range}${length}`, schema);
}

function withDefault(text: string, { default: value }: Schema): string {
  return value === undefined ? text : `${text}, default ${JSON.stringify(value)}`;
}
