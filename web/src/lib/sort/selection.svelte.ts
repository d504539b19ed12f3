import { SvelteSet } from 'svelte/reactivity';

/** Which objects of the page are chosen, and where the keyboard is. */
export class Selection {
  readonly chosen = new SvelteSet<number>();
  cursor = $state(0);
  #anchor = 0;

  constructor(private readonly ids: () => readonly number[]) {}

  get size(): number {
    return this.chosen.size;
  }
  /** What an action is for: the chosen ones in the order of the page, else the one under the cursor. */
  targets(): number[] {
    const ids = this.ids();
    if (this.chosen.size > 0) return ids.filter((id) => this.chosen.has(id));
    const id = ids[this.cursor];
    return id === undefined ? [] : [id];
  }
  clear(): void {
    this.chosen.clear();
  }
  all(): void {
    for (const id of this.ids()) this.chosen.add(id);
  }
  invert(): void {
    for (const id of this.ids()) this.#set(id, !this.chosen.has(id));
  }
  toggle(place: number): void {
    const id = this.ids()[place];
    if (id === undefined) return;
    this.cursor = this.#anchor = place;
    this.#set(id, !this.chosen.has(id));
  }
  /** From the last toggled one to here. */
  extendTo(place: number): void {
    const ids = this.ids();
    const [first, last] = place < this.#anchor ? [place, this.#anchor] : [this.#anchor, place];
    for (const id of ids.slice(first, last + 1)) this.chosen.add(id);
    this.cursor = place;
  }
  move(place: number, extend: boolean): void {
    const end = this.ids().length - 1;
    const to = Math.max(0, Math.min(end, place));
    if (extend) this.extendTo(to);
    else this.cursor = this.#anchor = to;
  }
  /** Exactly these, beside what was chosen before. */
  replace(ids: Iterable<number>, kept: ReadonlySet<number>): void {
    const wanted = new Set([...kept, ...ids]);
    for (const id of [...this.chosen]) if (!wanted.has(id)) this.chosen.delete(id);
    for (const id of wanted) this.chosen.add(id);
  }
  reset(): void {
    this.chosen.clear();
    this.cursor = this.#anchor = 0;
  }
  #set(id: number, on: boolean): void {
    if (on) this.chosen.add(id);
    else this.chosen.delete(id);
  }
}
