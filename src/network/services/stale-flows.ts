import type { PortRule, ServiceRuleset } from './plan.ts';

/**
 * UDP "connections" that the kernel goes on sending to the wrong place after a change: those to an endpoint that is
 * gone, and those to a Service that had no endpoint when they began. As arguments of `conntrack --delete`. Pure.
 */
export function staleFlows(before: ServiceRuleset, after: ServiceRuleset): readonly (readonly string[])[] {
  const current = new Map(udpPorts(after).map((rule) => [keyOf(rule), rule]));
  const previous = new Map(udpPorts(before).map((rule) => [keyOf(rule), rule]));
  const found: (readonly string[])[] = [];
  for (const [key, rule] of previous) {
    const now = new Set(current.get(key)?.cluster.map(({ ip }) => ip));
    for (const { ip } of rule.cluster) {
      if (now.has(ip)) continue;
      for (const match of matches(rule)) found.push([...match, '--reply-src', ip]);
    }
  }
  for (const [key, rule] of current) {
    const wasEmpty = (previous.get(key)?.cluster.length ?? 0) === 0;
    if (wasEmpty && rule.cluster.length > 0) found.push(...matches(rule));
  }
  return found;
}

const udpPorts = ({ ports }: ServiceRuleset): readonly PortRule[] =>
  ports.filter(({ protocol }) => protocol === 'udp');
const keyOf = ({ service, family, port }: PortRule): string => `${service} ${family} ${port}`;

/** One match for every way to the Service: its addresses, its node port. */
function matches(rule: PortRule): readonly (readonly string[])[] {
  const family = ['--family', rule.family, '--proto', 'udp'];
  const addresses = [rule.clusterIP, ...rule.externalIPs].map((ip) => [
    ...family,
    ...['--orig-dst', ip, '--orig-port-dst', String(rule.port)],
  ]);
  if (rule.nodePort === undefined) return addresses;
  return [...addresses, [...family, '--orig-port-dst', String(rule.nodePort)]];
}
