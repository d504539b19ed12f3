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
