export interface TypedField {
  name: string;
  data_type: string;
}
export interface Model {
  id: string;
  name: string;
  description: string;
  input_type: 'structured' | 'plain';
  output_type: 'structured' | 'plain';
  input_fields: TypedField[] | null;
  output_fields: TypedField[] | null;
}
export interface Version {
  id: string;
  version: string;
  description: string;
  language: string;
  status: string;
  error_message: string | null;
  memory_allocation: number;
  minimum_instances: number;
  maximum_instances: number;
  maximum_idle_time: number;
  creation_date: string;
  last_updated: string;
}
export interface Answer {
  success: boolean;
  result: unknown;
  error_message: string | null;
}
export interface BatchRequest {
  id: string;
  status: string;
  success: boolean | null;
  time_created: string;
  time_last_updated: string;
}

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
