// Everything that the page of a project shows, loaded page by page and again when an event concerns it.
import { api, read, type Schemas } from '#lib/api/client.ts';
import { pagesOf } from '#lib/api/pages.ts';
import type { Scene, Segment } from './lines.ts';

type State = Schemas['State'];
const PAGE = 200;

export class ProjectStrip {
  project = $state.raw<Schemas['Project'] | null>(null);
  report = $state.raw<Schemas['Report'] | null>(null);
  scenes = $state.raw<Scene[]>([]);
  segments = $state.raw<Segment[]>([]);
  total = $state.raw<number | null>(null);
  error = $state.raw<unknown>(null);
  #newest = 0;

  constructor(readonly id: number) {}

  /** Load everything again, with the segments in `state`. What is shown stays until the new answer is there. */
  reload = async (state: State | undefined): Promise<void> => {
    this.#newest += 1;
    const mine = this.#newest;
    try {
      const path = { project_id: this.id };
      const [project, report, scenes] = await Promise.all([
        read(api.GET('/api/v1/projects/{project_id}', { params: { path } })),
        read(
          api.GET('/api/v1/projects/{project_id}/staleness-report', {
            params: { path, query: { limit: 3 } },
          }),
        ),
        this.#scenes(),
      ]);
      if (mine !== this.#newest) return;
      this.project = project;
      this.report = report;
      this.scenes = scenes;
      await this.#segments(mine, state);
      if (mine === this.#newest) this.error = null;
    } catch (error) {
      if (mine === this.#newest) this.error = error;
    }
  };

  async #scenes(): Promise<Scene[]> {
    const scenes: Scene[] = [];
    const params = { path: { project_id: this.id } };
    for await (const page of pagesOf((cursor) =>
      read(
        api.GET('/api/v1/projects/{project_id}/scenes', {
          params: { ...params, query: { cursor, limit: 500 } },
        }),
      ),
    )) {
      scenes.push(...page.items);
    }
    return scenes;
  }

  async #segments(mine: number, state: State | undefined): Promise<void> {
    const segments: Segment[] = [];
    const path = { project_id: this.id };
    for await (const page of pagesOf((cursor) =>
      read(
        api.GET('/api/v1/projects/{project_id}/segments', {
          params: { path, query: { cursor, state, limit: PAGE } },
        }),
      ),
    )) {
      if (mine !== this.#newest) return;
      segments.push(...page.items);
      this.total = page.total ?? null;
      // The first page is shown at once; later ones must not take away what is shown already.
      if (segments.length > this.segments.length || page.next == null) this.segments = [...segments];
    }
  }
}
