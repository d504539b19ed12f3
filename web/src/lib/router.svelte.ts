// Hash routes: `#/p/12/sort?status=P`. Everything that a page shows can be read from its address.

function read(): { segments: string[]; query: URLSearchParams } {
  const [path = '', query = ''] = location.hash.replace(/^#/, '').split('?', 2);
  return { segments: path.split('/').filter(Boolean).map(decodeURIComponent), query: new URLSearchParams(query) };
}

class Route {
  #now = $state.raw(read());
  #seen = location.hash;

  constructor() {
    addEventListener('hashchange', () => {
      if (location.hash !== this.#seen) this.#look();
    });
  }
  #look(): void {
    this.#seen = location.hash;
    this.#now = read();
  }
  get segments(): readonly string[] {
    return this.#now.segments;
  }
  get path(): string {
    return '/' + this.#now.segments.map(encodeURIComponent).join('/');
  }
  get query(): URLSearchParams {
    return this.#now.query;
  }
  /** One parameter of the query, or what it is when absent. */
  param(name: string, fallback = ''): string {
    return this.#now.query.get(name) ?? fallback;
  }
  /** Change some parameters; an empty one is left out. Replaces the entry in the history unless told otherwise. */
  setQuery(changes: Record<string, string | number | null | undefined>, push = false): void {
    const query = new URLSearchParams(this.#now.query);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === undefined || value === '') query.delete(name);
      else query.set(name, String(value));
    }
    const text = query.toString();
    const target = `#${this.path}${text ? `?${text}` : ''}`;
    if (target === location.hash) return;
    if (push) location.hash = target;
    else history.replaceState(null, '', target);
    // At once: the event comes later, and a second change until then would begin from what was before the first.
    this.#look();
  }
}

export const route = new Route();

export function href(...segments: (string | number)[]): string {
  return '#/' + segments.map((segment) => encodeURIComponent(segment)).join('/');
}

export function go(target: string): void {
  location.hash = target;
}
