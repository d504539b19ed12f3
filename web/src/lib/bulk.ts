// Changes of many objects at once: what each would do, and doing it.
import { api } from './api';
import type { components as Objects } from '../generated/ecotaxa';
import { bounded } from './sort/filters';
import { taxonNames, type Filters } from './sort/objects';

export interface Tool {
  name: 'edit' | 'reclassify' | 'reset' | 'revert';
  title: string;
  explains: string;
  action: string;
  done: string;
  permission: string;
}
export const TOOLS: Tool[] = [
  { name: 'edit', title: 'Edit values', explains: 'Give objects the same date, depth, place or measured feature. Images and categories stay.', action: 'Set the values', done: 'Values set', permission: 'objects.update' },
  { name: 'reclassify', title: 'Reclassify', explains: 'Move objects to another category; what is validated stays validated, by whoever did it.', action: 'Reclassify', done: 'Reclassified', permission: 'objects.classify' },
  { name: 'reset', title: 'Reset to predicted', explains: 'Turn decisions into predictions of the same category, to be reviewed once more.', action: 'Reset', done: 'Reset to predicted', permission: 'objects.update' },
  { name: 'revert', title: 'Revert to history', explains: 'Take objects back to what they were before their last decision.', action: 'Revert', done: 'Reverted', permission: 'objects.update' },
];

export interface Wish {
  tool: Tool['name'];
  filters: Filters;
  taxon: number | null;
  annotator: number | null;
  edits: [string, string][];
}
export interface Impact {
  total: number;
  rows: { from: string; to: string; count: number }[];
  /** The objects, where what is done takes them one by one. */
  ids: number[];
}
interface Person { id: number; name: string }
type Reverted = Objects['schemas']['ObjectSetRevertToHistoryRsp'];

const STATE: Record<string, string> = { V: 'validated', P: 'predicted', D: 'dubious' };
const FACTS: [string, string][] = [['objdate', 'date'], ['objtime', 'time'], ['latitude', 'latitude'], ['longitude', 'longitude'], ['depth_min', 'depth from, m'], ['depth_max', 'depth to, m'], ['sunpos', 'sun'], ['orig_id', 'name'], ['object_link', 'link'], ['complement_info', 'comment']];

export async function columns(projectId: number, signal?: AbortSignal): Promise<[string, string][]> {
  const project = await api.get<Objects['schemas']['ProjectModel-Output']>(`/api/projects/${projectId}`, { signal });
  return [...FACTS, ...Object.keys(project.obj_free_cols ?? {}).sort().map((name): [string, string] => [name, `feature ${name}`])];
}
export async function people(projectId: number, signal?: AbortSignal): Promise<Person[]> {
  const project = await api.get<Objects['schemas']['ProjectModel-Output']>(`/api/projects/${projectId}`, { signal });
  const found = new Map([...(project.managers ?? []), ...(project.annotators ?? [])].map((person) => [person.id, person.name]));
  return [...found].map(([id, name]) => ({ id, name }));
}

const set = (projectId: number) => `/api/object_set/${projectId}`;
const revert = (projectId: number, wish: Wish, dryRun: boolean) =>
  api.post<Reverted>(`${set(projectId)}/revert_to_history`, bounded(wish.filters), { query: { dry_run: dryRun, target: wish.annotator } });

/** What would happen, by category; nothing is changed. */
export async function dryRun(projectId: number, wish: Wish): Promise<Impact> {
  if (wish.tool === 'revert') {
    const told = await revert(projectId, wish, true);
    const name = (id: number | null) => (id === null ? 'unclassified' : (told.classif_info[String(id)]?.[0] ?? `taxon ${id}`));
    return summed(told.last_entries.map((entry) => [entry.objid, name(entry.classif_id), `${name(entry.histo_classif_id)}${entry.histo_classif_qual ? `, ${STATE[entry.histo_classif_qual] ?? ''}` : ''}`]));
  }
  const answer = await api.post<{ object_ids: number[]; details: unknown[][] }>(`${set(projectId)}/query`, bounded(wish.filters), { query: { fields: 'obj.classif_qual,txo.display_name' } });
  const target = wish.taxon === null ? null : (await taxonNames([wish.taxon])).get(wish.taxon);
  const lines: [number, string, string][] = [];
  answer.object_ids.forEach((id, place) => {
    const [state, taxon] = (answer.details[place] ?? []) as [string | null, string | null];
    const category = taxon ?? 'unclassified';
    const word = state ? STATE[state] : 'unclassified';
    if (wish.tool === 'reset' && state !== 'V' && state !== 'D') return;
    if (wish.tool === 'reclassify' && category === target) return;
    const to = wish.tool === 'reclassify' ? `${target}, ${word}` : wish.tool === 'reset' ? `${category}, predicted` : wish.edits.map(([column, value]) => `${column} = ${value}`).join(', ');
    lines.push([id, state ? `${category}, ${word}` : category, to]);
  });
  return summed(lines);
}

/** Do it; answers how many objects there were. */
export async function run(projectId: number, wish: Wish, impact: Impact): Promise<number> {
  if (wish.tool === 'revert') await revert(projectId, wish, false);
  else if (wish.tool === 'reset') await api.post(`${set(projectId)}/reset_to_predicted`, bounded(wish.filters));
  else if (wish.tool === 'reclassify') await api.post(`${set(projectId)}/reclassify`, bounded(wish.filters), { query: { forced_id: wish.taxon, reason: 'W' } });
  else return api.post<number>('/api/object_set/update', { target_ids: impact.ids, updates: wish.edits.map(([ucol, uval]) => ({ ucol, uval })) });
  return impact.total;
}

export function summed(lines: [id: number, from: string, to: string][]): Impact {
  const counts = new Map<string, Impact['rows'][number]>();
  for (const [, from, to] of lines) {
    const key = `${from}\n${to}`;
    const row = counts.get(key) ?? { from, to, count: 0 };
    row.count++;
    counts.set(key, row);
  }
  return { total: lines.length, rows: [...counts.values()].sort((a, b) => b.count - a.count), ids: lines.map(([id]) => id) };
}
