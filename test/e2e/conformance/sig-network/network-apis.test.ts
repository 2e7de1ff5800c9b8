import type { Ingress, IngressClass, IPAddress, ServiceCIDR } from '../../../../src/api/types.gen.ts';
import { checkApiOperations } from '../api-operations.ts';
import { area } from '../area.ts';

area('sig-network', 'Ingress API', (spec) => {
  spec('should support creating Ingress API operations', async (context) => {
    await checkApiOperations<Ingress>(context, {
      groupVersion: 'networking.k8s.io/v1',
      plural: 'ingresses',
      kind: 'Ingress',
      namespaced: true,
      make: () => ({
        spec: {
          defaultBackend: { service: { name: 'default-backend', port: { number: 80 } } },
          rules: [
            {
              host: 'foo.bar.com',
              http: {
                paths: [
                  {
                    path: '/',
                    pathType: 'ImplementationSpecific',
                    backend: { service: { name: 'test-backend', port: { number: 8080 } } },
                  },
                ],
              },
            },
          ],
        },
      }),
      change: (ingress) => {
        ingress.spec!.rules![0]!.host = 'bar.foo.com';
      },
      statuses: [
        { loadBalancer: { ingress: [{ ip: '169.1.1.1' }] } },
        (ingress) => {
          ingress.status = { loadBalancer: { ingress: [{ ip: '169.1.1.2', hostname: 'board' }] } };
        },
      ],
    });
  });
});

area('sig-network', 'IngressClass API', (spec) => {
  spec('should support creating IngressClass API operations', async (context) => {
    await checkApiOperations<IngressClass>(context, {
      groupVersion: 'networking.k8s.io/v1',
      plural: 'ingressclasses',
      kind: 'IngressClass',
      namespaced: false,
      make: () => ({ spec: { controller: 'example.com/controller' } }),
    });
  });
});

const condition = (type: string) => ({
  type,
  status: 'True',
  reason: 'E2E',
  message: `${type} by an e2e test`,
  lastTransitionTime: '2026-01-01T00:00:00Z',
});

area('sig-network', 'ServiceCIDR and IPAddress API', (spec) => {
  spec('should support IPAddress API operations', async (context) => {
    await checkApiOperations<IPAddress>(context, {
      groupVersion: 'networking.k8s.io/v1',
      plural: 'ipaddresses',
      kind: 'IPAddress',
      namespaced: false,
      names: ['192.168.240.1', '192.168.240.2', '2001:db8::1'],
      make: () => ({
        spec: { parentRef: { resource: 'services', name: 'dummy-service', namespace: 'default' } },
      }),
      change: ({ metadata }) => {
        metadata.labels = { ...metadata.labels, changed: 'true' };
      },
    });
  });

  spec('should support ServiceCIDR API operations', async (context) => {
    let last = 100;
    await checkApiOperations<ServiceCIDR>(context, {
      groupVersion: 'networking.k8s.io/v1',
      plural: 'servicecidrs',
      kind: 'ServiceCIDR',
      namespaced: false,
      make: () => ({ spec: { cidrs: [`192.168.${++last}.0/24`] } }),
      statusLeavesMetadata: true,
      statuses: [
        { conditions: [condition('StatusPatched')] },
        (cidr) => {
          cidr.status = { conditions: [condition('StatusPatched'), condition('StatusUpdated')] };
        },
      ],
    });
  });
});
