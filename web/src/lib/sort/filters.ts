/** What of an address goes to the object-set API as a filter, under the API's own names. */
export const FILTER_NAMES = [
  'taxo', 'taxochild', 'statusfilter', 'samples', 'depthmin', 'depthmax', 'month', 'daytime', 'fromdate', 'todate', 'fromtime', 'totime',
  'MapN', 'MapS', 'MapE', 'MapW', 'freenum', 'freenumst', 'freenumend', 'freetxt', 'freetxtval', 'filt_last_annot', 'filt_annot',
  'validfromdate', 'validtodate',
] as const;

/** The filters that an address holds. */
export function filtersOf(param: (name: string) => string): Record<string, string> {
  return Object.fromEntries(FILTER_NAMES.map((name) => [name, param(name)]).filter(([, value]) => value !== ''));
}

// The API takes these only when all are given.
const WIDEST: Record<string, string>[] = [{ depthmin: '-20000', depthmax: '20000' }, { MapS: '-90', MapN: '90', MapW: '-180', MapE: '180' }];

/** What goes to the API: a range of which one end is left open is as wide as can be on that side. */
export function bounded(filters: Record<string, string>): Record<string, string> {
  const open = WIDEST.filter((range) => Object.keys(range).some((name) => filters[name]));
  return Object.assign({}, ...open, filters) as Record<string, string>;
}
