import { describe, expect, test } from 'vitest';
import { EventParser } from './stream.ts';

describe('EventParser', () => {
  test('reads events that arrive whole', () => {
    const parser = new EventParser();
    expect(parser.push('id: 7\nevent: take.recorded\ndata: {"id":7}\n\nid: 8\ndata: {"id":8}\n\n')).toEqual([
      '{"id":7}',
      '{"id":8}',
    ]);
  });

  test('reads events that arrive in any pieces', () => {
    const text = ': connected\n\nid: 7\ndata: {"id":7}\n\ndata: a\ndata: b\n\n';
    for (let size = 1; size < text.length; size += 1) {
      const parser = new EventParser();
      const read: string[] = [];
      for (let at = 0; at < text.length; at += size) read.push(...parser.push(text.slice(at, at + size)));
      expect(read).toEqual(['{"id":7}', 'a\nb']);
    }
  });

  test('leaves out comments, and what is not complete', () => {
    const parser = new EventParser();
    expect(parser.push(': keep-alive\n\ndata: half')).toEqual([]);
  });
});
