import { expect, it } from 'vitest';
import { ChunkedAnswer } from './chunked-answer.ts';
import { Deliveries, FollowedWatch } from './followed-watch.ts';

const line = (event: number): string =>
  `{"type":"ADDED","object":{"metadata":{"name":"event-${event}-x"}}}\n`;
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
const HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

it('finds every event once, wherever the bytes are cut', () => {
  const text = Buffer.from(`${HEAD}${chunk(line(0))}${chunk(line(1) + line(12))}0\r\n\r\n`);
  for (let cut = 1; cut < text.length; cut++) {
    const deliveries = new Deliveries(20, 1);
    const watch = new FollowedWatch(20, deliveries);
    const answer = new ChunkedAnswer((buffer, from, to) => watch.take(buffer.subarray(from, to)));
    // The same buffer again for each part, as it is when reading.
    const buffer = Buffer.alloc(text.length);
    for (const part of [text.subarray(0, cut), text.subarray(cut)]) {
      part.copy(buffer);
      answer.take(buffer, part.length);
    }
    expect(answer).toMatchObject({ status: 200, isOver: true });
    expect(answer.bodyBytes).toBe((line(0) + line(1) + line(12)).length);
    expect([deliveries.count, watch.count(3)]).toEqual([3, { lost: 0, doubled: 0 }]);
  }
});

it('counts what was lost and what came twice', () => {
  const watch = new FollowedWatch(5, new Deliveries(5, 1));
  watch.take(Buffer.from(line(0) + line(1) + line(1)));
  expect(watch.count(4)).toEqual({ lost: 2, doubled: 1 });
});
