// A value that a page loads, with the three states that the page shows: loading, failed, there.

/** Loads a value again on request. A load that is overtaken by a later one is dropped. */
export class Loading<T> {
  value = $state.raw<T | null>(null);
  error = $state.raw<unknown>(null);
  #load: () => Promise<T>;
  #newest = 0;

  constructor(load: () => Promise<T>) {
    this.#load = load;
  }

  /** Load the value. The previous one is shown until the new one is there. */
  reload = async (): Promise<void> => {
    this.#newest += 1;
    const mine = this.#newest;
    try {
      const value = await this.#load();
      if (mine === this.#newest) {
        this.value = value;
        this.error = null;
      }
    } catch (error) {
      if (mine === this.#newest) this.error = error;
    }
  };
}
