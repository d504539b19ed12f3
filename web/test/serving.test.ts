import { describe, expect, it } from 'vitest';
import { readValue } from '../src/lib/serving';

describe('readValue', () => {
  it('reads text as the field says', () => {
    expect(readValue('int', '3')).toBe(3);
    expect(readValue('double', '0.5')).toBe(0.5);
    expect(readValue('bool', 'true')).toBe(true);
    expect(readValue('string', ' a ')).toBe(' a ');
    expect(readValue('array_double', '1, 2.5')).toEqual([1, 2.5]);
    expect(readValue('array_string', '["a"]')).toEqual(['a']);
  });
  it('refuses what does not fit', () => {
    expect(() => readValue('int', '1.5')).toThrow('int');
    expect(() => readValue('int', '')).toThrow('int');
    expect(() => readValue('array_int', '{')).toThrow();
  });
});
