import { expect, test } from 'vitest';
import { ago, counted, duration, kindName } from './words.ts';

test('counts name what they count', () => {
  expect(counted(1, 'segment')).toBe('1 segment');
  expect(counted(0, 'segment')).toBe('0 segments');
  expect(counted(12_000, 'segment')).toBe('12,000 segments');
});

test('durations are short', () => {
  expect([0.2, 8, 89, 150, 3600 * 2, 3600 * 2 + 600].map(duration)).toEqual([
    '1 s',
    '8 s',
    '89 s',
    '3 min',
    '2 h',
    '2 h 10 min',
  ]);
});

test('times are relative', () => {
  const now = Date.parse('2026-11-29T12:00:00Z');
  expect(ago('2026-11-29T11:59:40Z', now)).toBe('just now');
  expect(ago('2026-11-29T11:57:00Z', now)).toBe('3 minutes ago');
  expect(ago('2026-11-28T12:00:00Z', now)).toBe('yesterday');
});

test('kinds have names', () => {
  expect(['lora', 'source_image'].map(kindName)).toEqual(['LoRA', 'source image']);
});
