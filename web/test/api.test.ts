import { describe, expect, it } from 'vitest';
import { readError, withQuery } from '../src/lib/api';

describe('readError', () => {
  it('reads the words of each API', () => {
    expect(readError({ error: 'No such model.' })).toEqual({ message: 'No such model.', field: null });
    expect(readError({ detail: 'Not authenticated' })).toEqual({ message: 'Not authenticated', field: null });
    expect(readError({ code: 'DATASET_UNKNOWN', message: 'It is gone.' })).toEqual({ message: 'It is gone.', field: null });
    expect(readError({ error: { kind: 'invalid', message: 'Too short.', field: 'password' } })).toEqual({ message: 'Too short.', field: 'password' });
  });
  it('joins the problems of a list and names the field', () => {
    const body = { detail: [{ loc: ['body', 'title'], msg: 'This is needed.' }, { loc: ['body', 'x'], msg: 'Too long.' }] };
    expect(readError(body)).toEqual({ message: 'This is needed. Too long.', field: 'title' });
  });
  it('says nothing where nothing is said', () => {
    expect(readError(null).message).toBe('');
    expect(readError(7).message).toBe('');
  });
});

describe('withQuery', () => {
  it('leaves out what is empty and repeats lists', () => {
    expect(withQuery('/a', { b: '', c: null, d: 0, e: false, f: ['x', 'y'] })).toBe('/a?d=0&e=false&f=x&f=y');
    expect(withQuery('/a')).toBe('/a');
  });
});
