// What the sorting page asks of the object-set API, and how it reads the rows.
import { api } from '../api';
import { bounded } from './filters';

export type Qualification = 'P' | 'V' | 'D' | null;

export interface SortObject {
  id: number;
  name: string;
  taxonId: number | null;
  taxon: string | null;
  state: Qualification;
  score: number | null;
  image: string | null;
  thumbnail: string | null;
  width: number;
  height: number;
  images: number;
  sampleId: number;
}

interface QueryAnswer {
  object_ids: number[];
  sample_ids: number[];
  details: unknown[][];
  total_ids: number;
}

export type Filters = Record<string, string>;

const FIELDS = [
  'obj.orig_id', 'obj.classif_id', 'txo.display_name', 'obj.classif_qual', 'obj.classif_auto_score', 'img.file_name',
  'img.thumb_file_name', 'img.width', 'img.height', 'obj.imgcount',
];

export const picture = (fileName: string) => `/api/vault/${fileName}`;

export async function queryObjects(
  projectId: number, filters: Filters, order: string, start: number, size: number, signal?: AbortSignal,
): Promise<{ objects: SortObject[]; total: number }> {
  const answer = await api.post<QueryAnswer>(`/api/object_set/${projectId}/query`, bounded(filters), {
    query: { fields: FIELDS.join(','), order_field: order, window_start: start, window_size: size },
    signal,
  });
  const objects = answer.object_ids.map((id, place): SortObject => {
    const [name, taxonId, taxon, state, score, file, thumb, width, height, images] = answer.details[place] ?? [];
    return {
      id,
      name: String(name ?? id),
      taxonId: (taxonId as number | null) ?? null,
      taxon: (taxon as string | null) ?? null,
      state: (state as Qualification) ?? null,
      score: (score as number | null) ?? null,
      image: file ? picture(String(file)) : null,
      thumbnail: thumb ? picture(String(thumb)) : null,
      width: (width as number | null) ?? 64,
      height: (height as number | null) ?? 64,
      images: (images as number | null) ?? 0,
      sampleId: answer.sample_ids[place] ?? 0,
    };
  });
  return { objects, total: answer.total_ids };
}

export interface TaxonCount {
  id: number;
  name: string;
  validated: number;
  predicted: number;
  dubious: number;
  unclassified: number;
}
interface StatsRow {
  used_taxa: number[];
  nb_validated: number;
  nb_predicted: number;
  nb_dubious: number;
  nb_unclassified: number;
}
interface TaxonRow {
  id: number;
  display_name: string;
  lineage: string[];
}

export async function taxonCounts(projectId: number, signal?: AbortSignal): Promise<TaxonCount[]> {
  const rows = await api.get<StatsRow[]>('/api/project_set/taxo_stats', { query: { ids: projectId, taxa_ids: 'all' }, signal });
  const ids = rows.map((row) => row.used_taxa[0] ?? -1).filter((id) => id > 0);
  const names = await taxonNames(ids, signal);
  return rows
    .map((row) => {
      const id = row.used_taxa[0] ?? -1;
      return {
        id,
        name: id > 0 ? (names.get(id) ?? `taxon ${id}`) : 'Unclassified',
        validated: row.nb_validated,
        predicted: row.nb_predicted,
        dubious: row.nb_dubious,
        unclassified: row.nb_unclassified,
      };
    })
    .filter((row) => total(row) > 0)
    .sort((a, b) => total(b) - total(a) || a.name.localeCompare(b.name));
}

export const total = (row: TaxonCount) => row.validated + row.predicted + row.dubious + row.unclassified;

export async function taxonNames(ids: number[], signal?: AbortSignal): Promise<Map<number, string>> {
  const names = new Map<number, string>();
  for (let start = 0; start < ids.length; start += 200) {
    const rows = await api.get<TaxonRow[]>('/api/taxon_set/query', { query: { ids: ids.slice(start, start + 200).join('+') }, signal });
    for (const row of rows) names.set(row.id, row.display_name);
  }
  return names;
}

export interface TaxonFound {
  id: number;
  text: string;
  /** 1 for the project's own preset. */
  pr: number;
}

export function searchTaxa(query: string, projectId: number, signal?: AbortSignal): Promise<TaxonFound[]> {
  return api.get<TaxonFound[]>('/api/taxon_set/search', { query: { query, project_id: projectId }, signal });
}

/** Case-insensitive; a space or `*` stands for anything. */
export function matches(name: string, typed: string): boolean {
  const parts = typed.toLowerCase().split(/[\s*]+/).filter(Boolean);
  let from = 0;
  for (const part of parts) {
    const found = name.toLowerCase().indexOf(part, from);
    if (found < 0) return false;
    from = found + part.length;
  }
  return true;
}
