// Who has to do with a project, and what they may do.
import type { components as Pages } from '../generated/pages';
import type { components as Serving } from '../generated/ubiops';

export type ProjectPerson = Pages['schemas']['ProjectPerson'];
export type AuditRow = Pages['schemas']['AuditRow'];
export type TokenCard = Pages['schemas']['TokenCard'];
export type TokenMade = Pages['schemas']['TokenMade'];
export type Level = Pages['schemas']['MemberLevel'];
export type Role = Serving['schemas']['RoleDetailList'];

export const LEVELS: [Level, string][] = [
  ['owner', 'owner: everything, in all projects'],
  ['admin', 'admin: everything, in all projects'],
  ['editor', 'editor: changes things in all projects'],
  ['viewer', 'viewer: sees all projects'],
  ['demo', 'demo: sees all, changes what is theirs'],
  ['member', 'member: only what roles give'],
];

/** Permissions by what they are about, for a list that can be read. */
export function grouped(permissions: readonly string[]): [string, string[]][] {
  const groups = new Map<string, string[]>();
  for (const permission of [...permissions].sort()) {
    const subject = permission.slice(0, permission.lastIndexOf('.'));
    groups.set(subject, [...(groups.get(subject) ?? []), permission]);
  }
  return [...groups];
}
