import { expect, test } from 'vitest';
import { Selection } from './selection.svelte.ts';

const inView = [10, 20, 30, 40, 50];
const plain = { shiftKey: false, ctrlKey: false, metaKey: false };
const selected = (selection: Selection) => [...selection.ids].sort((a, b) => a - b);

test('a click selects one, with control it adds and takes out', () => {
  const selection = new Selection();
  selection.click(10, inView, plain);
  selection.click(30, inView, { ...plain, ctrlKey: true });
  expect(selected(selection)).toEqual([10, 30]);
  selection.click(10, inView, { ...plain, metaKey: true });
  expect(selected(selection)).toEqual([30]);
  selection.click(50, inView, plain);
  expect(selected(selection)).toEqual([50]);
});

test('shift selects a range in both directions from the anchor', () => {
  const selection = new Selection();
  selection.click(30, inView, plain);
  selection.click(50, inView, { ...plain, shiftKey: true });
  expect(selected(selection)).toEqual([30, 40, 50]);
  selection.click(10, inView, { ...plain, shiftKey: true });
  expect(selected(selection)).toEqual(inView);
});

test('a range needs its anchor in view', () => {
  const selection = new Selection();
  selection.click(99, [99], plain);
  selection.click(20, inView, { ...plain, shiftKey: true });
  expect(selected(selection)).toEqual([20, 99]);
  selection.extend(7, inView);
  expect(selected(selection)).toEqual([20, 99]);
});

test('what a filter hides stays selected', () => {
  const selection = new Selection();
  selection.all(inView);
  selection.click(10, [10], { ...plain, ctrlKey: true });
  expect(selected(selection)).toEqual([20, 30, 40, 50]);
  selection.clear();
  expect(selected(selection)).toEqual([]);
});
