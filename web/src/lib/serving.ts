import type { components as Pages } from '../generated/pages';
import type { components as Serving } from '../generated/ubiops';

type Schema = Serving['schemas'];

export interface TypedField {
  name: string;
  data_type: string;
}
export type Model = Schema['ModelList'];
export type Version = Schema['ModelVersionList'];
/** Of the one operation that is served without the framework, and so stands in no schema. */
export interface Answer {
  success: boolean;
  result: unknown;
  error_message: string | null;
}
export type Build = Pages['schemas']['BuildCard'];
/** The job runs to its end also where the package is at fault. */
export const buildState = (build: Pick<Build, 'state' | 'outcome'>) => (build.state === 'finished' && build.outcome ? build.outcome : build.state);
export type BatchRequest = Schema['BatchModelRequestListResponse'];

/** What a form's text means for a field of this type; throws a sentence when it cannot. */
export function readValue(type: string, text: string): unknown {
  if (type === 'string' || type === 'blob') return text;
  if (type === 'bool') return text === 'true';
  if (type === 'int' || type === 'double') {
    const number = Number(text);
    if (text.trim() === '' || Number.isNaN(number) || (type === 'int' && !Number.isInteger(number))) throw new Error(`“${text}” is no ${type}.`);
    return number;
  }
  const items: unknown = JSON.parse(text.trim().startsWith('[') ? text : `[${text}]`);
  if (!Array.isArray(items)) throw new Error(`“${text}” is no list.`);
  return items;
}
