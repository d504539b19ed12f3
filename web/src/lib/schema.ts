// Forms are made from the APIs' own OpenAPI documents, so that a field is described in one place.
import { api } from './api';

export interface Schema {
  type?: string;
  format?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  pattern?: string;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  anyOf?: Schema[];
  allOf?: Schema[];
  $ref?: string;
}
interface Operation {
  operationId: string;
  requestBody?: { content?: Record<string, { schema?: Schema }> };
}
interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, Schema> };
}

const documents = new Map<string, Promise<OpenApi>>();

function load(prefix: string): Promise<OpenApi> {
  let found = documents.get(prefix);
  if (!found) {
    found = api.get<OpenApi>(`${prefix}/openapi.json`);
    documents.set(prefix, found);
    found.catch(() => documents.delete(prefix));
  }
  return found;
}

export interface FormField {
  name: string;
  required: boolean;
  kind: 'text' | 'long' | 'number' | 'integer' | 'boolean' | 'choice' | 'fields' | 'list' | 'json' | 'secret';
  schema: Schema;
  choices: string[];
}

export async function formOf(prefix: string, operationId: string): Promise<FormField[]> {
  const document = await load(prefix);
  for (const methods of Object.values(document.paths)) {
    for (const operation of Object.values(methods)) {
      if (operation.operationId !== operationId) continue;
      const content = operation.requestBody?.content ?? {};
      const schema = content['application/json']?.schema;
      return schema ? fieldsOf(document, schema) : [];
    }
  }
  throw new Error(`The server has no operation ${operationId}.`);
}

export function fieldsOf(document: OpenApi, schema: Schema): FormField[] {
  const whole = resolve(document, schema);
  const required = new Set(whole.required ?? []);
  return Object.entries(whole.properties ?? {}).map(([name, given]) => {
    const inner = resolve(document, withoutNull(document, given));
    const found: Schema = { ...inner, description: given.description ?? inner.description, default: given.default ?? inner.default };
    return { name, required: required.has(name), schema: found, ...kindOf(document, name, found) };
  });
}

function kindOf(document: OpenApi, name: string, schema: Schema): Pick<FormField, 'kind' | 'choices'> {
  if (schema.enum) return { kind: 'choice', choices: schema.enum.map(String) };
  if (schema.type === 'boolean') return { kind: 'boolean', choices: [] };
  if (schema.type === 'integer') return { kind: 'integer', choices: [] };
  if (schema.type === 'number') return { kind: 'number', choices: [] };
  if (schema.type === 'array') {
    const item = resolve(document, schema.items ?? {});
    if (item.properties?.name && item.properties.data_type) {
      const types = resolve(document, item.properties.data_type);
      return { kind: 'fields', choices: (types.enum ?? []).map(String) };
    }
    return { kind: item.type === 'string' ? 'list' : 'json', choices: [] };
  }
  if (schema.type === 'object' || schema.type === undefined) return { kind: 'json', choices: [] };
  if (/password|secret/.test(name)) return { kind: 'secret', choices: [] };
  return { kind: name === 'description' || (schema.maxLength ?? 0) > 300 ? 'long' : 'text', choices: [] };
}

function withoutNull(document: OpenApi, schema: Schema): Schema {
  const options = (schema.anyOf ?? []).filter((option) => resolve(document, option).type !== 'null');
  return options.length === 1 && options[0] ? { ...options[0], description: schema.description ?? options[0].description } : schema;
}

function resolve(document: OpenApi, schema: Schema): Schema {
  if (schema.$ref) return resolve(document, document.components?.schemas?.[schema.$ref.split('/').at(-1) ?? ''] ?? {});
  if (schema.allOf?.length === 1 && schema.allOf[0]) return { ...resolve(document, schema.allOf[0]), ...schema, allOf: undefined };
  return schema;
}

const EMPTY: Partial<Record<FormField['kind'], unknown>> = { text: '', long: '', fields: [], list: [] };
const isBlank = (value: unknown) => value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);

/**
 * What the form says, without what was left empty; what was there before and has been emptied is said to be empty. Text
 * that should be JSON and is not is a problem of its field.
 */
export function bodyOf(fields: FormField[], values: Record<string, unknown>, before: Record<string, unknown> = {}): { body: Record<string, unknown>; problems: Record<string, string> } {
  const body: Record<string, unknown> = {};
  const problems: Record<string, string> = {};
  for (const field of fields) {
    const value = values[field.name];
    if (isBlank(value)) {
      if (field.required && field.kind !== 'boolean' && field.kind !== 'fields') problems[field.name] = 'This is needed.';
      else if (!isBlank(before[field.name]) && field.kind in EMPTY) body[field.name] = EMPTY[field.kind];
      continue;
    }
    if (field.kind === 'integer' || field.kind === 'number') {
      const number = Number(value);
      if (Number.isNaN(number) || (field.kind === 'integer' && !Number.isInteger(number))) problems[field.name] = `This has to be ${field.kind === 'integer' ? 'a whole number' : 'a number'}.`;
      else body[field.name] = number;
    } else if (field.kind === 'json') {
      try {
        body[field.name] = JSON.parse(String(value));
      } catch (error) {
        problems[field.name] = `This is not JSON: ${error instanceof Error ? error.message : ''}`;
      }
    } else if (field.kind === 'list') {
      body[field.name] = String(value).split(/[\n,]/).map((item) => item.trim()).filter(Boolean);
    } else body[field.name] = value;
  }
  return { body, problems };
}
