// A project as lines of fixed height: a heading for each scene, and below it its tiles in rows.
import type { Schemas } from '#lib/api/client.ts';

export type Scene = Schemas['Scene'];
export type Segment = Schemas['SegmentView'];
export type Line =
  { kind: 'scene'; key: string; scene: Scene } | { kind: 'tiles'; key: string; segments: Segment[] };

export const TILE_WIDTH = 176;
export const TILE_GAP = 12;

/** Return how many tiles fit side by side into `width` pixels, at least one. */
export function columnsIn(width: number): number {
  return Math.max(1, Math.floor((width + TILE_GAP) / (TILE_WIDTH + TILE_GAP)));
}

/** Return the lines of scenes in order. `segments` are in the project's order; scenes without any keep their heading. */
export function linesOf(scenes: Scene[], segments: Segment[], columns: number, withEmpty: boolean): Line[] {
  const byScene = Map.groupBy(segments, (segment) => segment.scene_id);
  return scenes.flatMap((scene) => {
    const inScene = byScene.get(scene.id) ?? [];
    if (inScene.length === 0 && !withEmpty) return [];
    const rows: Line[] = [{ kind: 'scene', key: `scene ${scene.id}`, scene }];
    for (let at = 0; at < inScene.length; at += columns) {
      const row = inScene.slice(at, at + columns);
      rows.push({ kind: 'tiles', key: `tiles ${scene.id} ${at}`, segments: row });
    }
    return rows;
  });
}
