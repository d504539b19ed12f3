import { describe, expect, it } from 'vitest';
import { viewQuery, withView } from '../src/lib/sort/views';

describe('a kept view', () => {
  it('begins at the beginning, and is the same in whatever order the address says it', () => {
    expect(viewQuery(new URLSearchParams('start=400&taxo=3&size=500'))).toBe('size=500&taxo=3');
    expect(viewQuery(new URLSearchParams('size=500&taxo=3'))).toBe('size=500&taxo=3');
  });

  it('takes the place of the one of its name, and else comes last', () => {
    const views = [{ name: 'a', query: '1' }, { name: 'b', query: '2' }];
    expect(withView(views, { name: 'a', query: '3' })).toEqual([{ name: 'a', query: '3' }, { name: 'b', query: '2' }]);
    expect(withView(views, { name: 'c', query: '4' }).map((view) => view.name)).toEqual(['a', 'b', 'c']);
    expect(views).toHaveLength(2);
  });
});
