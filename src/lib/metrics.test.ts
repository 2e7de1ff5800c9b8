import { describe, expect, it } from 'vitest';
import { LIMITS } from './limits.ts';
import { MetricRegistry } from './metrics.ts';

describe('metrics', () => {
  it('are written as Prometheus reads them', () => {
    const registry = new MetricRegistry();
    const requests = registry.counter({
      name: 'requests_total',
      help: 'Requests.',
      labels: ['verb', 'path'],
    });
    requests.add(['GET', 'a"b\\c\nd']);
    requests.of('GET', 'a"b\\c\nd').value += 2;
    const took = registry.histogram({
      name: 'took_seconds',
      help: 'Time.',
      labels: ['verb'],
      bucketsSeconds: [0.1, 1],
    });
    for (const value of [0.1, 0.5, 7]) took.of('GET').observe(value);
    registry.collect({ name: 'now', help: 'Now.', type: 'gauge', read: () => 3 });
    registry.collect({
      name: 'sizes',
      help: 'Sizes.',
      type: 'gauge',
      labels: ['of'],
      read: () => [{ labels: ['x'], value: 1 }],
    });
    expect(registry.render()).toBe(`# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{verb="GET",path="a\\"b\\\\c\\nd"} 3
# HELP took_seconds Time.
# TYPE took_seconds histogram
took_seconds_bucket{verb="GET",le="0.1"} 1
took_seconds_bucket{verb="GET",le="1"} 2
took_seconds_bucket{verb="GET",le="+Inf"} 3
took_seconds_sum{verb="GET"} 7.6
took_seconds_count{verb="GET"} 3
# HELP now Now.
# TYPE now gauge
now 3
# HELP sizes Sizes.
# TYPE sizes gauge
sizes{of="x"} 1
`);
  });

  it('do not grow with what clients send', () => {
    const registry = new MetricRegistry();
    const requests = registry.counter({ name: 'requests_total', help: 'Requests.', labels: ['path'] });
    for (let at = 0; at < LIMITS.metrics.series + 100; at++) requests.add([`${'x'.repeat(1000)}${at}`]);
    for (let at = 0; at < LIMITS.metrics.series + 100; at++) requests.add([String(at)]);
    const lines = registry.render().split('\n');
    expect(lines.length).toBeLessThan(LIMITS.metrics.series + 5);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(LIMITS.metrics.labelChars + 40);
  });
});
