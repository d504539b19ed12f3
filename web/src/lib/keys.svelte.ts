// Keys act only where no text is being typed. Each page registers what it takes; `?` shows all of it, and changes it.
import { EVERYWHERE, keysOf, readKept, takenBy, withChange, type Binding, type Changes, type Scheme, type Scope } from './keymap';

const TYPING = 'input:not([type=checkbox]):not([type=radio]):not([type=range]):not([type=button]), textarea, select, [contenteditable]';

export function nameOf(event: KeyboardEvent): string {
  const parts: string[] = [];
  if (event.ctrlKey || event.metaKey) parts.push('Ctrl');
  if (event.altKey) parts.push('Alt');
  // A shifted sign such as ? is its own name already.
  if (event.shiftKey && (event.key.length > 1 || /[a-z]/i.test(event.key))) parts.push('Shift');
  parts.push(event.key === ' ' ? 'Space' : event.key.length === 1 ? event.key.toUpperCase() : event.key);
  return parts.join('+');
}

export function isTyping(event: KeyboardEvent): boolean {
  return event.target instanceof Element && event.target.closest(TYPING) !== null;
}

/** Whether what has the focus takes text; a list that one picks from does not. */
export function typingIn(focused: Element | null): boolean {
  return focused !== null && focused.matches(TYPING) && !focused.matches('select');
}

// What a control does by itself with a key stays the control's.
const OWN: [RegExp, string][] = [[/^(Enter|Space)$/, 'button, a, summary, [role=tab], input'], [/^(Shift\+)?Arrow/, 'input, [role=tab]']];

function belongsToControl(event: KeyboardEvent, name: string): boolean {
  const target = event.target;
  return target instanceof Element && OWN.some(([keys, controls]) => keys.test(name) && target.closest(controls) !== null);
}

/** A form is sent, and a button pressed, once for each press of Enter, however long it is held. */
function onlyOnce(event: KeyboardEvent): void {
  if (event.repeat && event.key === 'Enter' && !(event.target instanceof HTMLTextAreaElement)) event.preventDefault();
}

class Keys {
  scopes = $state.raw<Scope[]>([]);
  mapOpen = $state(false);
  paletteOpen = $state(false);
  scheme = $state<Scheme>('quick');
  changes = $state.raw<Changes>({});
  #shelf = '';

  /** Whose keys count from now on. */
  belongTo(user: string | number): void {
    this.#shelf = `quadrat.keys.${user}`;
    ({ scheme: this.scheme, changes: this.changes } = readKept(localStorage.getItem(this.#shelf)));
  }
  choose(scheme: Scheme): void {
    this.scheme = scheme;
    this.#keep();
  }
  /** The keys of an action as they are now. */
  of(scope: string, binding: Pick<Binding, 'keys' | 'fixed'>): string[] {
    return keysOf(scope, binding, this.changes);
  }
  /** Put an action on another key; gives what holds the key already, and then changes nothing. */
  change(scope: string, binding: Binding, key: string): string | null {
    const other = takenBy(this.scopes, scope, binding, key, this.changes);
    if (other === null) {
      this.changes = withChange(this.changes, scope, binding, key);
      this.#keep();
    }
    return other;
  }
  reset(): void {
    this.changes = {};
    this.#keep();
  }
  #keep(): void {
    localStorage.setItem(this.#shelf, JSON.stringify({ scheme: this.scheme, changes: this.changes }));
  }

  /** Register a page's keys; returns what takes them back. */
  use(title: string, bindings: Binding[]): () => void {
    const scope = { title, bindings };
    this.scopes = [...this.scopes, scope];
    return () => (this.scopes = this.scopes.filter((other) => other !== scope));
  }
  listen(): () => void {
    const back = this.use(EVERYWHERE, [
      { keys: ['?'], does: 'Show the keys of this page', run: () => (this.mapOpen = !this.mapOpen) },
      { keys: ['Ctrl+K'], does: 'Jump to anything', run: () => (this.paletteOpen = true) },
    ]);
    addEventListener('keydown', this.#onKey);
    addEventListener('keydown', onlyOnce, true);
    return () => {
      removeEventListener('keydown', this.#onKey);
      removeEventListener('keydown', onlyOnce, true);
      back();
    };
  }
  #onKey = (event: KeyboardEvent): void => {
    const name = nameOf(event);
    if (event.defaultPrevented || event.isComposing) return;
    if (isTyping(event) && name !== 'Ctrl+K') return;
    if (belongsToControl(event, name)) return;
    if (document.querySelector('dialog[open]') && name !== '?') return;
    for (const scope of [...this.scopes].reverse()) {
      const found = scope.bindings.find((binding) => this.of(scope.title, binding).includes(name));
      if (found) {
        event.preventDefault();
        if (!event.repeat || found.repeats) found.run(event);
        return;
      }
    }
  };
}

export const keys = new Keys();
