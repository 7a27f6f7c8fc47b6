// Dark by default; the choice is this browser's.
type Theme = 'dark' | 'light';
const KEY = 'genlock-theme';

class ThemeChoice {
  current = $state<Theme>(localStorage.getItem(KEY) === 'light' ? 'light' : 'dark');

  constructor() {
    document.documentElement.dataset['theme'] = this.current;
  }

  toggle = (): void => {
    this.current = this.current === 'dark' ? 'light' : 'dark';
    localStorage.setItem(KEY, this.current);
    document.documentElement.dataset['theme'] = this.current;
  };
}

export const theme = new ThemeChoice();
