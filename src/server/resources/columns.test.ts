import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../api/resource.ts';
import { qualifiedResource } from '../../api/resource.ts';
import type { HorizontalPodAutoscaler } from '../../api/types.gen.ts';
import { fromV1, toV1 } from './autoscaling/hpa-conversion.ts';
import { scheduleProblem } from './batch/cron-schedule.ts';
import { RESOURCES } from './table.ts';

const NOW_MS = Date.parse('2026-01-02T00:10:00Z');
const metadata = { name: 'web', creationTimestamp: '2026-01-02T00:00:00Z' };
const template = {
  spec: {
    containers: [
      { name: 'a', image: 'x:1' },
      { name: 'b', image: 'y:2' },
    ],
  },
};
const selector = { matchLabels: { app: 'web' } };

/** The row as `kubectl get -o wide` shows it. */
function row(key: string, object: object): string {
  const definition = RESOURCES.find((one) => qualifiedResource(one.resource) === key);
  const cells = definition?.columns.map((column) =>
    column.cell({ metadata, ...object } as KubeObject, NOW_MS),
  );
  return cells?.join(' | ') ?? '';
}
const headers = (key: string): string =>
  RESOURCES.find((one) => qualifiedResource(one.resource) === key)
    ?.columns.map(({ name, priority }) => `${name.toUpperCase()}${priority ? '*' : ''}`)
    .join(' ') ?? '';

describe('kubectl get', () => {
  it.each([
    ['pods', 'NAME READY STATUS RESTARTS AGE IP* NODE* NOMINATED NODE* READINESS GATES*'],
    ['deployments.apps', 'NAME READY UP-TO-DATE AVAILABLE AGE CONTAINERS* IMAGES* SELECTOR*'],
    ['services', 'NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE SELECTOR*'],
    [
      'nodes',
      'NAME STATUS ROLES AGE VERSION INTERNAL-IP* EXTERNAL-IP* OS-IMAGE* KERNEL-VERSION* CONTAINER-RUNTIME*',
    ],
    ['events', 'LAST SEEN TYPE REASON OBJECT SUBOBJECT* SOURCE* MESSAGE FIRST SEEN* COUNT* NAME*'],
    ['jobs.batch', 'NAME STATUS COMPLETIONS DURATION AGE CONTAINERS* IMAGES* SELECTOR*'],
    ['roles.rbac.authorization.k8s.io', 'NAME CREATED AT'],
    ['priorityclasses.scheduling.k8s.io', 'NAME VALUE GLOBAL-DEFAULT AGE PREEMPTIONPOLICY'],
  ])('heads of %s', (key, expected) => {
    expect(headers(key)).toBe(expected);
  });

  it.each<[string, object, string]>([
    [
      'deployments.apps',
      {
        spec: { replicas: 3, selector, template },
        status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 2 },
      },
      'web | 2/3 | 3 | 2 | 10m | a,b | x:1,y:2 | app=web',
    ],
    [
      'statefulsets.apps',
      { spec: { replicas: 1, template }, status: { readyReplicas: 1 } },
      'web | 1/1 | 10m | a,b | x:1,y:2',
    ],
    [
      'services',
      {
        spec: {
          type: 'NodePort',
          clusterIPs: ['10.43.0.5'],
          ports: [{ port: 80, nodePort: 30080, protocol: 'TCP' }],
        },
      },
      'web | NodePort | 10.43.0.5 | <none> | 80:30080/TCP | 10m | <none>',
    ],
    [
      'services',
      {
        spec: { type: 'LoadBalancer', clusterIP: '10.43.0.5', selector: { b: '2', a: '1' } },
        status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } },
      },
      'web | LoadBalancer | 10.43.0.5 | 192.0.2.9 | <none> | 10m | a=1,b=2',
    ],
    [
      'nodes',
      {
        metadata: { ...metadata, labels: { 'node-role.kubernetes.io/control-plane': '' } },
        spec: { unschedulable: true },
        status: {
          conditions: [{ type: 'Ready', status: 'True' }],
          nodeInfo: { kubeletVersion: 'v1' },
          addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
        },
      },
      'web | Ready,SchedulingDisabled | control-plane | 10m | v1 | 192.0.2.1 | <none> | <unknown> | <unknown> | <unknown>',
    ],
    [
      'jobs.batch',
      {
        spec: { completions: 2, selector, template },
        status: {
          succeeded: 2,
          startTime: '2026-01-02T00:01:00Z',
          completionTime: '2026-01-02T00:02:05Z',
          conditions: [{ type: 'Complete', status: 'True' }],
        },
      },
      'web | Complete | 2/2 | 65s | 10m | a,b | x:1,y:2 | app=web',
    ],
    [
      'cronjobs.batch',
      {
        spec: { schedule: '@daily', suspend: false, jobTemplate: { spec: { template } } },
        status: { lastScheduleTime: '2026-01-02T00:00:00Z' },
      },
      'web | @daily | <none> | False | 0 | 10m | 10m | a,b | x:1,y:2 | <none>',
    ],
    [
      'endpoints',
      {
        subsets: [
          { addresses: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }], ports: [{ port: 80 }, { port: 443 }] },
        ],
      },
      'web | 10.0.0.1:80,10.0.0.2:80,10.0.0.1:443 + 1 more... | 10m',
    ],
    [
      'events',
      {
        lastTimestamp: '2026-01-02T00:09:00Z',
        type: 'Warning',
        reason: 'BackOff',
        involvedObject: { kind: 'Pod', name: 'web' },
        source: { component: 'kubelet', host: 'n1' },
        message: 'Back-off\n',
        count: 4,
      },
      '60s | Warning | BackOff | pod/web |  | kubelet, n1 | Back-off | <unknown> | 4 | web',
    ],
    [
      'ingresses.networking.k8s.io',
      {
        spec: {
          ingressClassName: 'edge',
          rules: [{ host: 'a' }, { host: 'b' }, { host: 'c' }, { host: 'd' }],
          tls: [{}],
        },
      },
      'web | edge | a,b,c + 1 more... |  | 80, 443 | 10m',
    ],
    [
      'resourcequotas',
      { status: { hard: { pods: '5', 'limits.cpu': '2' }, used: { pods: '1' } } },
      'web | pods: 1/5 | limits.cpu: 0/2 | 10m',
    ],
    [
      'horizontalpodautoscalers.autoscaling',
      {
        spec: {
          scaleTargetRef: { kind: 'Deployment', name: 'web' },
          minReplicas: 1,
          maxReplicas: 5,
          metrics: [
            {
              type: 'Resource',
              resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
            },
          ],
        },
        status: {
          currentReplicas: 2,
          desiredReplicas: 2,
          currentMetrics: [
            { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 42 } } },
          ],
        },
      },
      'web | Deployment/web | cpu: 42%/80% | 1 | 5 | 2 | 10m',
    ],
  ])('a row of %s', (key, object, expected) => {
    expect(row(key, object)).toBe(expected);
  });
});

it('carries a v2 autoscaler through v1 and back', () => {
  const object: HorizontalPodAutoscaler = {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web' },
    spec: {
      scaleTargetRef: { kind: 'Deployment', name: 'web' },
      maxReplicas: 5,
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
        },
        {
          type: 'Resource',
          resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } },
        },
      ],
      behavior: { scaleDown: { stabilizationWindowSeconds: 60 } },
    },
  };
  const v1 = toV1(object);
  expect(v1).toMatchObject({ apiVersion: 'autoscaling/v1', spec: { targetCPUUtilizationPercentage: 50 } });
  expect(fromV1(v1)).toEqual(object);
});

it.each([
  ['*/5 0-6,12 * jan-mar mon', undefined],
  ['@hourly', undefined],
  ['@every 1h30m', undefined],
  ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
  ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
  ['*/0 * * * *', 'step of range should be a positive number: */0'],
  ['@sometimes', 'unrecognized descriptor: @sometimes'],
])('schedule %s', (schedule, problem) => {
  expect(scheduleProblem(schedule)).toBe(problem);
});
