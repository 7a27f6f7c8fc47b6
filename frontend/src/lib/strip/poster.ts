import type { Segment } from './lines.ts';

/** Return the URL of a picture of a segment's selected take, null if it has none. */
export function posterUrl(segment: Segment): string | null {
  const outputs = segment.selected_take?.outputs ?? {};
  const digest = outputs['thumbnail'] ?? outputs['last_frame'];
  return digest === undefined ? null : `/api/v1/blobs/${digest}`;
}
