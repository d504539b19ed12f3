// Which key does what after a person has changed it. Kept in this browser, for each person.

export interface Binding {
  keys: string[];
  does: string;
  run: (event: KeyboardEvent) => void;
  /** Cannot be put on another key, as the digits for nine taxa. */
  fixed?: boolean;
  /** Goes on while its key is held, as moving does; anything else happens once for each press. */
  repeats?: boolean;
}
export interface Scope {
  title: string;
  bindings: Binding[];
}
export type Scheme = 'quick' | 'ecotaxa';
/** By page, then by the first key that the page itself gives to an action: the key that has taken its place. */
export type Changes = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The keys of an action, with what the person has changed. */
export function keysOf(scope: string, binding: Pick<Binding, 'keys' | 'fixed'>, changes: Changes): string[] {
  const changed = binding.fixed ? undefined : changes[scope]?.[binding.keys[0] ?? ''];
  return changed === undefined ? binding.keys : [changed];
}

/** What the key does already on the page, or on every page; null where it is free for the action. */
export function takenBy(scopes: readonly Scope[], title: string, binding: Binding, key: string, changes: Changes): string | null {
  for (const scope of scopes) {
    if (scope.title !== title && scope.title !== EVERYWHERE) continue;
    const other = scope.bindings.find((one) => one !== binding && keysOf(scope.title, one, changes).includes(key));
    if (other) return other.does;
  }
  return null;
}

export function withChange(changes: Changes, scope: string, binding: Binding, key: string): Changes {
  const first = binding.keys[0] ?? '';
  const mine = { ...changes[scope] };
  if (binding.keys.length === 1 && key === first) delete mine[first];
  else mine[first] = key;
  return { ...changes, [scope]: mine };
}

/** What was kept, or nothing where it cannot be read. */
export function readKept(text: string | null): { scheme: Scheme; changes: Changes } {
  try {
    const kept = JSON.parse(text ?? '{}') as { scheme?: Scheme; changes?: Changes };
    return { scheme: kept.scheme === 'ecotaxa' ? 'ecotaxa' : 'quick', changes: kept.changes ?? {} };
  } catch {
    return { scheme: 'quick', changes: {} };
  }
}

export const EVERYWHERE = 'Everywhere';
