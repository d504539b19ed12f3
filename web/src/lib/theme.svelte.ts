type Choice = 'system' | 'light' | 'dark';
const KEY = 'quadrat.theme';

class Theme {
  choice = $state<Choice>((localStorage.getItem(KEY) as Choice | null) ?? 'system');

  constructor() {
    this.#apply();
  }
  set(choice: Choice): void {
    this.choice = choice;
    localStorage.setItem(KEY, choice);
    this.#apply();
  }
  get isDark(): boolean {
    return this.choice === 'dark' || (this.choice === 'system' && matchMedia('(prefers-color-scheme: dark)').matches);
  }
  toggle(): void {
    this.set(this.isDark ? 'light' : 'dark');
  }
  #apply(): void {
    if (this.choice === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.choice;
  }
}

export const theme = new Theme();
