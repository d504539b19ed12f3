import { describe, expect, it } from 'vitest';
import { bodyOf, fieldsOf } from '../src/lib/schema';

const DOCUMENT = {
  paths: {},
  components: {
    schemas: {
      Kind: { enum: ['plain', 'structured'], type: 'string' },
      FieldIn: { type: 'object', properties: { name: { type: 'string' }, data_type: { enum: ['int', 'string'] } } },
    },
  },
};
const SCHEMA = {
  required: ['name', 'kind'],
  properties: {
    name: { type: 'string', description: 'A slug' },
    kind: { $ref: '#/components/schemas/Kind' },
    size: { anyOf: [{ type: 'integer', minimum: 1 }, { type: 'null' }], default: 7 },
    fields: { type: 'array', items: { $ref: '#/components/schemas/FieldIn' } },
    tags: { anyOf: [{ type: 'array', items: { type: 'string' } }, { type: 'null' }] },
    settings: { type: 'object' },
    on: { type: 'boolean' },
  },
};

describe('a form from a schema', () => {
  const fields = fieldsOf(DOCUMENT, SCHEMA);

  it('has a control for each type', () => {
    expect(fields.map((field) => [field.name, field.kind, field.required])).toEqual([
      ['name', 'text', true], ['kind', 'choice', true], ['size', 'integer', false], ['fields', 'fields', false],
      ['tags', 'list', false], ['settings', 'json', false], ['on', 'boolean', false],
    ]);
    expect(fields[1]?.choices).toEqual(['plain', 'structured']);
    expect(fields[2]?.schema.default).toBe(7);
  });
  it('sends what was filled in, in its type', () => {
    const read = bodyOf(fields, { name: 'a', kind: 'plain', size: '12', fields: [], tags: 'x, y\nz', settings: '{"a": 1}', on: false });
    expect(read).toEqual({ body: { name: 'a', kind: 'plain', size: 12, tags: ['x', 'y', 'z'], settings: { a: 1 }, on: false }, problems: {} });
  });
  it('says that what was there before has been taken out', () => {
    const before = { name: 'a', kind: 'plain', size: 7, fields: [{ name: 'x', data_type: 'int' }], tags: ['x'] };
    const read = bodyOf(fields, { name: 'a', kind: 'plain', size: '', fields: [], tags: '', settings: '', on: false }, before);
    expect(read).toEqual({ body: { name: 'a', kind: 'plain', fields: [], tags: [], on: false }, problems: {} });
  });
  it('names the field that cannot be sent', () => {
    const read = bodyOf(fields, { name: '', kind: 'plain', size: '1.5', settings: '{' });
    expect(Object.keys(read.problems)).toEqual(['name', 'size', 'settings']);
  });
});
