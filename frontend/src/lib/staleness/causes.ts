// Why a segment is out of date, in words.
import type { Schemas } from '#lib/api/client.ts';
import { kindName } from '#lib/parts/words.ts';

export type Cause = Schemas['Cause'];

/** Return a cause as a sentence without its end: `LoRA rain: v1 → v2`. */
export function causeText(cause: Cause): string {
  const [first] = cause.path;
  if (cause.root.kind === 'chain') {
    return cause.kind === 'chain'
      ? 'continues a take that was replaced'
      : `continues a chain in which a take was replaced`;
  }
  const name = first?.name ?? 'an asset';
  if (cause.root.kind === 'unmatched') return `${name}: used in a form that no version has`;
  const change = `${name}: v${cause.root.used} → v${cause.root.expected}`;
  return cause.kind === 'superseded' ? `${kindName(cause.role)} ${change}` : `made from ${change}`;
}
