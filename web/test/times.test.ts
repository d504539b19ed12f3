import { describe, expect, it } from 'vitest';
import { fromField, toField } from '../src/lib/times';

describe('moments in fields', () => {
  it('a moment in a field is the same moment in the address', () => {
    const moment = '2026-03-14T12:20:00.000Z';
    expect(fromField(toField(moment))).toBe(moment);
    expect(toField(moment)).toMatch(/^2026-03-1[345]T\d\d:\d\d$/);
  });

  it('what is no moment is none', () => {
    expect(toField('')).toBe('');
    expect(toField('soon')).toBe('');
    expect(fromField('')).toBeNull();
  });
});
