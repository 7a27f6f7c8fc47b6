import { api, read, type Schemas } from '#lib/api/client.ts';

export type Plan = Schemas['Plan'];
export type Step = Schemas['Step'];

interface Choice {
  all?: boolean;
  segments?: number[];
  groups?: string[];
}

/** Draw up a plan for what was chosen. Nothing is rendered until it is started. */
export function createPlan(project_id: number, choice: Choice): Promise<Plan> {
  return read(api.POST('/api/v1/plans', { body: { project_id, selection: choice } as Schemas['NewPlan'] }));
}
