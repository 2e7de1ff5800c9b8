import { describe, expect, it } from 'vitest';
import type { ConfigMap, Container, Pod, Secret, Service } from '../../api/types.gen.ts';
import { type EnvironmentInput, environment } from './environment.ts';
import { expand } from './expand.ts';

const pod: Pod = {
  metadata: { name: 'web', namespace: 'shop', uid: 'u', labels: { app: 'web', b: 'x"y' } },
  spec: { containers: [] },
};
const service = (namespace: string, name: string, clusterIP: string, ports: object[]): Service =>
  ({ metadata: { namespace, name }, spec: { clusterIP, ports } }) as Service;

async function variables(container: Partial<Container>, extra: Partial<EnvironmentInput> = {}) {
  const list = await environment({
    pod,
    container: { name: 'main', ...container },
    services: [],
    downward: {
      nodeName: 'board',
      hostIPs: ['192.168.1.7'],
      podIPs: ['10.42.0.3'],
      allocatable: { cpu: '4', memory: '1Gi' },
    },
    configMap: async (name) =>
      name === 'settings' ? ({ metadata: {}, data: { a: '1', b: '2' } } as ConfigMap) : undefined,
    secret: async (name) =>
      name === 'key' ? ({ metadata: {}, data: { pin: 'MTIzNA==' } } as Secret) : undefined,
    ...extra,
  });
  return Object.fromEntries(list.map(({ name, value }) => [name, value]));
}

describe('expansion', () => {
  it.each([
    ['$(A)', '1'],
    ['$$(A)', '$(A)'],
    ['$(B)', '$(B)'],
    ['x$(A)y$', 'x1y$'],
    ['$(A', '$(A'],
    ['$A', '$A'],
    ['$$', '$'],
  ])('turns %s into %s', (text, result) => {
    expect(expand(text, (name) => (name === 'A' ? '1' : undefined))).toBe(result);
  });
});

describe('environment', () => {
  it('joins envFrom, env and references, later ones winning', async () => {
    const found = await variables({
      envFrom: [{ prefix: 'P_', configMapRef: { name: 'settings' } }, { secretRef: { name: 'key' } }],
      env: [
        { name: 'pin', value: 'new-$(pin)' },
        { name: 'BOTH', value: '$(P_a)$(P_b)' },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        { name: 'LABEL', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
        { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
        { name: 'MEM', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
      ],
    });
    expect(found).toEqual({
      P_a: '1',
      P_b: '2',
      pin: 'new-1234',
      BOTH: '12',
      IP: '10.42.0.3',
      LABEL: 'web',
      CPU: '4',
      MEM: '1024',
    });
  });

  it('says what is missing in upstream words, and nothing of what is optional', async () => {
    const key = (name: string, key_: string, optional?: boolean) =>
      variables({
        env: [
          {
            name: 'X',
            valueFrom: { configMapKeyRef: { name, key: key_, ...(optional ? { optional } : {}) } },
          },
        ],
      });
    await expect(key('none', 'a')).rejects.toThrow('configmap "none" not found');
    await expect(key('settings', 'z')).rejects.toThrow("couldn't find key z in ConfigMap shop/settings");
    await expect(key('none', 'a', true)).resolves.toEqual({});
    await expect(variables({ envFrom: [{ secretRef: { name: 'none' } }] })).rejects.toThrow(
      'secret "none" not found',
    );
  });

  it('links the Services of its namespace and kubernetes, unless it does not want them', async () => {
    const services = [
      service('default', 'kubernetes', '10.43.0.1', [{ name: 'https', port: 443, protocol: 'TCP' }]),
      service('shop', 'my-db', '10.43.0.9', [{ port: 5432, protocol: 'TCP' }]),
      service('shop', 'headless', 'None', [{ port: 1 }]),
      service('other', 'far', '10.43.0.8', [{ port: 1 }]),
    ];
    const found = await variables({}, { services });
    expect(found).toMatchObject({
      KUBERNETES_SERVICE_HOST: '10.43.0.1',
      KUBERNETES_SERVICE_PORT: '443',
      KUBERNETES_SERVICE_PORT_HTTPS: '443',
      KUBERNETES_PORT: 'tcp://10.43.0.1:443',
      KUBERNETES_PORT_443_TCP_ADDR: '10.43.0.1',
      MY_DB_SERVICE_HOST: '10.43.0.9',
      MY_DB_PORT_5432_TCP_PROTO: 'tcp',
    });
    expect(Object.keys(found).some((name) => name.startsWith('FAR') || name.startsWith('HEADLESS'))).toBe(
      false,
    );
    const alone = { ...pod, spec: { containers: [], enableServiceLinks: false } };
    const few = await variables({}, { services, pod: alone });
    expect(few['KUBERNETES_SERVICE_HOST']).toBe('10.43.0.1');
    expect(few['MY_DB_SERVICE_HOST']).toBeUndefined();
  });
});
