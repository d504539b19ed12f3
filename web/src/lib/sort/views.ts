// What a person keeps of the sorting page in a project, on the server: named views, and how it was looked at last.
import { api } from '../api';

export interface View {
  name: string;
  /** The query of the page's address, without the place in the list. */
  query: string;
}
const path = (projectId: number) => `/api/users/my_preferences/${projectId}`;

export async function readKept<T>(projectId: number, key: string, fallback: T, signal?: AbortSignal): Promise<T> {
  const text = await api.get<string>(path(projectId), { query: { key }, signal });
  try {
    return text ? (JSON.parse(text) as T) : fallback;
  } catch {
    return fallback;
  }
}
export const keep = (projectId: number, key: string, value: unknown): Promise<void> =>
  api.put(path(projectId), undefined, { query: { key, value: JSON.stringify(value) } });

/** The address's query as a view keeps it: any place in the list is the beginning. */
export function viewQuery(query: URLSearchParams): string {
  const kept = new URLSearchParams(query);
  kept.delete('start');
  kept.sort();
  return kept.toString();
}

/** With this view among them, in the place of one of the same name. */
export function withView(views: readonly View[], view: View): View[] {
  const place = views.findIndex((other) => other.name === view.name);
  return place < 0 ? [...views, view] : views.map((other, at) => (at === place ? view : other));
}
