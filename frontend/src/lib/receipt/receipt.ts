// What a receipt says, as rows for the page. The document's form is docs/reference/receipt.md.
import { kindName } from '#lib/parts/words.ts';

type Json = Record<string, unknown>;
export interface InputRow {
  role: string;
  name: string;
  version: string;
  digest: string | null;
  strength: string;
}
export interface ValueRow {
  name: string;
  value: string;
}

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const text = (value: unknown): string => (value === null || value === undefined ? '' : String(value));

/** Return the inputs of a receipt's document, in its order. */
export function inputRows(document: Json): InputRow[] {
  return list(document['inputs']).map((input) => ({
    role: kindName(text(input['role'])),
    name:
      text(input['name'] ?? input['filename']) ||
      (input['role'] === 'seed_frame' ? 'last frame of the take before' : ''),
    version: input['version'] == null ? '' : `v${text(input['version'])}`,
    digest: typeof input['digest'] === 'string' ? input['digest'] : null,
    strength: text(input['strength_model'] ?? input['strength']),
  }));
}

/** Return the values of a part of a receipt's document, such as `parameters`; nested ones are left out. */
export function valueRows(document: Json, part: string): ValueRow[] {
  const values = document[part];
  if (typeof values !== 'object' || values === null) return [];
  return Object.entries(values as Json)
    .filter(([, value]) => value !== null && typeof value !== 'object')
    .map(([name, value]) => ({ name: name.replaceAll('_', ' '), value: text(value) }));
}
