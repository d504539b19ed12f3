// A project as an object set, as the object-set API tells of it.
import { api } from './api';
import type { components as Objects } from '../generated/ecotaxa';

export type ObjectSet = Objects['schemas']['ProjectModel-Output'];
export type NetSample = Objects['schemas']['SampleModel'];
export type Activity = Objects['schemas']['ProjectUserStatsModel'];
export interface States {
  validated: number;
  predicted: number;
  dubious: number;
  unclassified: number;
}
interface Counted {
  nb_validated: number;
  nb_predicted: number;
  nb_dubious: number;
  nb_unclassified: number;
}

export const LICENSES: [string, string][] = [
  ['', 'not chosen yet'],
  ['CC0 1.0', 'CC0 1.0: no rights reserved'],
  ['CC BY 4.0', 'CC BY 4.0: with attribution'],
  ['CC BY-NC 4.0', 'CC BY-NC 4.0: with attribution, not for commerce'],
  ['Copyright', 'Copyright: all rights reserved'],
];
export const STATUSES: [string, string][] = [
  ['Annotate', 'Annotate: sort and predict'],
  ['Annotate No Prediction', 'Annotate without predictions'],
  ['ExploreOnly', 'Explore only: nothing changes'],
];

/** Summed over rows that count objects by state. */
export function summed(rows: readonly Counted[]): States {
  const sum = (name: keyof Counted) => rows.reduce((total, row) => total + row[name], 0);
  return { validated: sum('nb_validated'), predicted: sum('nb_predicted'), dubious: sum('nb_dubious'), unclassified: sum('nb_unclassified') };
}
export const all = (states: States) => states.validated + states.predicted + states.dubious + states.unclassified;

const BLOCK = 100;

/** Objects of projects by state. */
export async function statesOfProjects(ids: readonly number[], signal?: AbortSignal): Promise<Map<number, States>> {
  const found = new Map<number, States>();
  for (let start = 0; start < ids.length; start += BLOCK) {
    const rows = await api.get<(Counted & { projid: number })[]>('/api/project_set/taxo_stats', { query: { ids: ids.slice(start, start + BLOCK).join('+') }, signal });
    for (const row of rows) found.set(row.projid, summed([row]));
  }
  return found;
}

/** Objects of samples by state. */
export async function statesOfSamples(ids: readonly number[], signal?: AbortSignal): Promise<Map<number, States>> {
  const found = new Map<number, States>();
  for (let start = 0; start < ids.length; start += BLOCK) {
    const rows = await api.get<(Counted & { sample_id: number })[]>('/api/sample_set/taxo_stats', { query: { sample_ids: ids.slice(start, start + BLOCK).join('+') }, signal });
    for (const id of new Set(rows.map((row) => row.sample_id))) found.set(id, summed(rows.filter((row) => row.sample_id === id)));
  }
  return found;
}
