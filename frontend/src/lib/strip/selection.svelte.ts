// Which segments are selected. One class for every list and search.
import { SvelteSet } from 'svelte/reactivity';

/** Selected ids. They stay selected when filters hide them; ranges are over the ids in view. */
export class Selection {
  readonly ids = new SvelteSet<number>();
  #anchor: number | null = null;

  /** Select only `id`, and begin ranges there. */
  only(id: number): void {
    this.ids.clear();
    this.ids.add(id);
    this.#anchor = id;
  }

  /** Add `id`, or take it out, and begin ranges there. */
  toggle(id: number): void {
    if (!this.ids.delete(id)) this.ids.add(id);
    this.#anchor = id;
  }

  /** Add everything in view between the anchor and `id`; without an anchor in view only `id`. */
  extend(id: number, inView: readonly number[]): void {
    const from = this.#anchor === null ? -1 : inView.indexOf(this.#anchor);
    const to = inView.indexOf(id);
    if (to === -1) return;
    if (from === -1) {
      this.ids.add(id);
      this.#anchor = id;
      return;
    }
    for (const between of inView.slice(Math.min(from, to), Math.max(from, to) + 1)) this.ids.add(between);
  }

  /** Select everything in view, besides what is selected. */
  all(inView: Iterable<number>): void {
    for (const id of inView) this.ids.add(id);
  }

  clear(): void {
    this.ids.clear();
    this.#anchor = null;
  }

  /** Select as a click does, with the keys that were held. */
  click(
    id: number,
    inView: readonly number[],
    keys: { shiftKey: boolean; ctrlKey: boolean; metaKey: boolean },
  ): void {
    if (keys.shiftKey) this.extend(id, inView);
    else if (keys.ctrlKey || keys.metaKey) this.toggle(id);
    else this.only(id);
  }
}
