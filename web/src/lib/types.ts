// What the pages' own interface sends. The types of the four APIs are generated from their OpenAPI documents.

export interface Person {
  id: number;
  uuid: string;
  email: string;
  name: string | null;
  surname: string | null;
  is_platform_admin: boolean;
}
export interface SessionState {
  user: Person | null;
  csrf: string | null;
  needs_setup: boolean;
  version: string;
}
export interface ProjectCard {
  id: number;
  uuid: string;
  name: string;
  title: string;
  organization: string;
  organization_uuid: string | null;
  level: string | null;
  created_at: string;
}
export interface ProjectRights extends ProjectCard {
  permissions: string[];
}
export type JobState = 'pending' | 'running' | 'asking' | 'failed' | 'finished' | 'cancelled';
export interface Job {
  id: number;
  uuid: string;
  kind: string;
  project_id: number | null;
  state: JobState;
  progress_percent: number | null;
  message: string;
  errors: string[];
  question: Record<string, unknown>;
  result: Record<string, unknown>;
  has_file: boolean;
  attempt: number;
  created_at: string;
  updated_at: string;
  started_at: string | null;
  finished_at: string | null;
}
