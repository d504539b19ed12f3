// What the APIs send, by short names. The types are made from the OpenAPI documents by tests/web/check.py, so that a page
// that no longer fits an API fails the check.
import type { components as Pages } from '../generated/pages';

type Page = Pages['schemas'];

export type Person = Page['Person'];
export type SessionState = Page['Session'];
export type ProjectCard = Page['ProjectCard'];
export type ProjectRights = Page['ProjectRights'];
export type Job = Page['JobCard'];
export type JobState = Page['JobState'];
