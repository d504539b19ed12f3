// Lines of a project's logs, and the server's word that there are more.
import { api } from './api';
import { listen } from './stream';

export interface LogLine {
  id: string;
  log: string;
  date: string;
  model_name?: string;
  model_version?: string;
  pipeline_name?: string;
  pipeline_object_name?: string;
  connector_name?: string;
  request_id?: string;
  system?: boolean;
}

export const looksBad = (line: Pick<LogLine, 'log'>) => /error|exception|traceback|failed/i.test(line.log);

/** So many lines from a moment or a line on, or back; in the order in which the server answers. */
export async function fetchLines(projectName: string, ask: Record<string, unknown>, signal?: AbortSignal): Promise<LogLine[]> {
  return (await api.post<LogLine[] | undefined>(`/v2.1/projects/${encodeURIComponent(projectName)}/logs`, ask, { signal })) ?? [];
}

/** Hear of new lines until the function that is returned is called. */
export function followLines(projectId: number, more: () => void, connection: (there: boolean) => void = () => undefined): () => void {
  return listen(`/ui/api/projects/${projectId}/logs/events`, { lines: more }, connection);
}
