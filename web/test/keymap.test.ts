import { describe, expect, it } from 'vitest';
import { EVERYWHERE, keysOf, readKept, takenBy, withChange, type Binding, type Scope } from '../src/lib/keymap';

const binding = (keys: string[], does: string, fixed = false): Binding => ({ keys, does, fixed, run: () => undefined });
const validate = binding(['V'], 'Validate');
const assign = binding(['T', '/'], 'Assign a taxon');
const digits = binding(['1', '2'], 'Assign a recent taxon', true);
const scopes: Scope[] = [
  { title: EVERYWHERE, bindings: [binding(['?'], 'Show the keys')] },
  { title: 'Sort', bindings: [validate, assign, digits] },
  { title: 'Logs', bindings: [binding(['X'], 'Something of another page')] },
];

describe('keys', () => {
  it('are the ones of the page until someone changes them', () => {
    expect(keysOf('Sort', assign, {})).toEqual(['T', '/']);
    const changes = withChange({}, 'Sort', assign, 'X');
    expect(keysOf('Sort', assign, changes)).toEqual(['X']);
    expect(keysOf('Logs', assign, changes)).toEqual(['T', '/']);
  });
  it('come back when the first one is chosen again', () => {
    const changes = withChange(withChange({}, 'Sort', validate, 'X'), 'Sort', validate, 'V');
    expect(keysOf('Sort', validate, changes)).toEqual(['V']);
    expect(changes.Sort).toEqual({});
  });
  it('that are fixed stay', () => {
    expect(keysOf('Sort', digits, { Sort: { 1: 'X' } })).toEqual(['1', '2']);
  });
  it('are taken by another action of the page or of every page, not of another page', () => {
    expect(takenBy(scopes, 'Sort', validate, '/', {})).toBe('Assign a taxon');
    expect(takenBy(scopes, 'Sort', validate, '?', {})).toBe('Show the keys');
    expect(takenBy(scopes, 'Sort', validate, 'X', {})).toBeNull();
    expect(takenBy(scopes, 'Sort', validate, 'V', {})).toBeNull();
    expect(takenBy(scopes, 'Sort', validate, 'T', withChange({}, 'Sort', assign, 'X'))).toBeNull();
  });
  it('that were kept badly are those of the page', () => {
    expect(readKept('{')).toEqual({ scheme: 'quick', changes: {} });
    expect(readKept('{"scheme":"ecotaxa","changes":{"Sort":{"V":"X"}}}')).toEqual({ scheme: 'ecotaxa', changes: { Sort: { V: 'X' } } });
  });
});
