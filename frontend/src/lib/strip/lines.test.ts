import { describe, expect, test } from 'vitest';
import { columnsIn, linesOf, type Scene, type Segment } from './lines.ts';

const scenes = [{ id: 1 }, { id: 2 }, { id: 3 }] as Scene[];
const segments = [1, 1, 1, 3].map((scene_id, id) => ({ id, scene_id })) as Segment[];
const shape = (withEmpty: boolean, columns: number) =>
  linesOf(scenes, segments, columns, withEmpty).map((line) =>
    line.kind === 'scene' ? `scene ${line.scene.id}` : line.segments.map((segment) => segment.id),
  );

describe('linesOf', () => {
  test('breaks the tiles of a scene into rows', () => {
    expect(shape(false, 2)).toEqual(['scene 1', [0, 1], [2], 'scene 3', [3]]);
  });

  test('keeps scenes without segments where they are wanted', () => {
    expect(shape(true, 9)).toEqual(['scene 1', [0, 1, 2], 'scene 2', 'scene 3', [3]]);
  });

  test('gives each line a key of its own', () => {
    const keys = linesOf(scenes, segments, 1, true).map((line) => line.key);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

test('at least one tile fits', () => {
  expect([0, 176, 363, 364, 1280].map(columnsIn)).toEqual([1, 1, 1, 2, 6]);
});
