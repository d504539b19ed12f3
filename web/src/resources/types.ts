import type { ProjectRights } from '../lib/types';

export type Row = Record<string, unknown>;

export interface Column {
  name: string;
  label: string;
  kind?: 'text' | 'code' | 'state' | 'time' | 'flag' | 'number';
  /** Where the cell leads. */
  link?: (project: ProjectRights, row: Row) => string;
}

/** What can be done with one thing besides; answers with what is to be shown once, if anything. */
export interface Action {
  label: string;
  permission: string;
  run: (project: ProjectRights, row: Row) => Promise<{ title: string; text: string } | null>;
}

/** A permission, or several of which one is enough. */
export type Needed = string | string[];

/** What the generic page needs to know of one kind of thing. */
export interface Resource {
  title: string;
  singular: string;
  /** Which API's document describes the forms. */
  prefix: string;
  list: (project: ProjectRights) => string;
  one: (project: ProjectRights, row: Row) => string;
  name: (row: Row) => string;
  columns: Column[];
  /** What of the rows comes from elsewhere, by their names; the list is a list without it. */
  besides?: (project: ProjectRights, signal: AbortSignal) => Promise<Map<string, Row>>;
  read: string;
  /** `initial`: what a new one is, unless said otherwise. */
  create?: { operation: string; permission: Needed; initial?: Row };
  update?: { operation: string; permission: Needed; skip?: string[] };
  remove?: { permission: Needed; warning: string };
  actions?: Action[];
  /** Why a row can be neither changed nor deleted here, if it cannot. */
  fixed?: (row: Row) => string;
  empty: string;
  hints?: Record<string, string>;
  choices?: (project: ProjectRights) => Promise<Record<string, string[]>>;
  /** What a created thing says once, such as a token. */
  once?: (made: Row) => { title: string; text: string } | null;
}
