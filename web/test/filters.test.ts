import { describe, expect, it } from 'vitest';
import { bounded } from '../src/lib/sort/filters';

describe('ranges of filters', () => {
  it('a range with one end counts on that side alone', () => {
    expect(bounded({ depthmin: '10', taxo: '5' })).toEqual({ depthmin: '10', depthmax: '20000', taxo: '5' });
    expect(bounded({ depthmax: '0' })).toEqual({ depthmin: '-20000', depthmax: '0' });
    expect(bounded({ MapN: '43.5' })).toEqual({ MapS: '-90', MapN: '43.5', MapW: '-180', MapE: '180' });
  });

  it('what is whole or absent stays as it is', () => {
    expect(bounded({})).toEqual({});
    expect(bounded({ depthmin: '1', depthmax: '2', fromdate: '2024-05-01' })).toEqual({ depthmin: '1', depthmax: '2', fromdate: '2024-05-01' });
  });
});
