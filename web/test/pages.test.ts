import { describe, expect, it } from 'vitest';
import { find } from '../src/lib/pages';

describe('find', () => {
  it('gives the page of an address with its parameters', () => {
    expect(find([]).title).toBe('Home');
    expect(find(['p', '12', 'models', 'a b', 'v1']).parameters).toEqual({ project: '12', model: 'a b', version: 'v1' });
  });
  it('begins another thing of the same page anew', () => {
    expect(find(['p', '12']).key).not.toBe(find(['p', '13']).key);
  });
  it('tells the generic page which kind of thing it lists', () => {
    expect(find(['p', '12', 'connectors']).parameters).toEqual({ project: '12', resource: 'connectors' });
    expect(find(['p', '12', 'connectors']).key).not.toBe(find(['p', '12', 'credentials']).key);
  });
  it('knows what is no page', () => {
    expect(find(['p', 'twelve']).title).toBe('Not found');
    expect(find(['nothing', 'here']).title).toBe('Not found');
  });
});
