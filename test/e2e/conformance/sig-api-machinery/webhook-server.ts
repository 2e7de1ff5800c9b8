import { createServer, type Server } from 'node:https';
import { type AddressInfo, isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { text } from 'node:stream/consumers';
import { issueCertificate } from '../../../../src/lib/pki/certificate.ts';
import { generateKeyPem, publicKeyOf } from '../../../../src/lib/pki/key.ts';
import type { SpecContext } from '../spec-context.ts';

const HOUR_MS = 3_600_000;

interface Certified {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** A throw-away authority and a serving certificate of it for one Service. */
export function certify(service: string, namespace: string): Certified {
  const times = { notBeforeMs: 0, notAfterMs: Date.now() + HOUR_MS };
  const caKey = generateKeyPem();
  const ca = issueCertificate({
    subject: { commonName: 'e2e-server-cert-ca' },
    publicKey: publicKeyOf(caKey),
    selfSigningKeyPem: caKey,
    use: 'ca',
    ...times,
  });
  const key = generateKeyPem();
  const cert = issueCertificate({
    subject: { commonName: `${service}.${namespace}.svc` },
    publicKey: publicKeyOf(key),
    issuer: { certificatePem: ca, keyPem: caKey },
    use: 'server',
    names: { dnsNames: [`${service}.${namespace}.svc`], ips: [] },
    ...times,
  });
  return { ca, cert, key };
}

/** An address of this machine that a Service may lead to: loopback is none. */
export function ownAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const found = addresses.find(({ address, internal }) => !internal && isIPv4(address));
  if (!found) throw new Error('this machine has no address but loopback');
  return found.address;
}

/** A Service without a selector that leads to a port of this machine. */
export async function serviceTo(context: SpecContext, name: string, port: number): Promise<void> {
  const metadata = { name, namespace: context.namespace };
  await context.services.create({ metadata, spec: { ports: [{ port: 8443, protocol: 'TCP' }] } });
  await context.resource('discovery.k8s.io/v1', 'endpointslices').create({
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [ownAddress()], conditions: { ready: true } }],
    ports: [{ name: '', port, protocol: 'TCP' }],
  } as never);
}

interface AdmissionObject {
  readonly metadata?: { readonly labels?: Record<string, string>; readonly name?: string };
  readonly data?: Record<string, string>;
  readonly spec?: {
    readonly containers?: readonly { readonly name: string }[];
    readonly initContainers?: unknown;
  };
}
interface AdmissionRequest {
  readonly uid: string;
  readonly operation: string;
  readonly name?: string;
  readonly object?: AdmissionObject;
  readonly oldObject?: AdmissionObject;
}
interface Decision {
  readonly reason?: string;
  readonly patch?: readonly object[];
}

const LABEL = 'webhook-e2e-test';
const DISALLOW = 'webhook-disallow';
const never = new Promise<never>(() => {});

/** What upstream's test webhook does at each path. */
const ANSWERS: Readonly<Record<string, (request: AdmissionRequest) => Decision | Promise<Decision>>> = {
  '/always-deny': () => ({ reason: 'this webhook denies all requests' }),
  '/always-allow-delay-5s': async () => {
    await new Promise((resolve) => setTimeout(resolve, 5000));
    return {};
  },
  '/add-label': ({ object }) =>
    object?.metadata?.labels
      ? { patch: [{ op: 'add', path: '/metadata/labels/added-label', value: 'yes' }] }
      : { patch: [{ op: 'add', path: '/metadata/labels', value: { 'added-label': 'yes' } }] },
  '/pods': async ({ object }) => {
    const label = object?.metadata?.labels?.[LABEL];
    if (label === 'wait-forever') await never;
    const reasons = [
      ...(object?.spec?.containers?.some(({ name }) => name.includes(DISALLOW))
        ? ['the pod contains unwanted container name']
        : []),
      ...(label === DISALLOW ? ['the pod contains unwanted label'] : []),
    ];
    return reasons.length === 0 ? {} : { reason: reasons.join('; ') };
  },
  '/pods/attach': ({ name }) =>
    name === 'to-be-attached-pod' ? { reason: "attaching to pod 'to-be-attached-pod' is not allowed" } : {},
  '/mutating-pods': ({ object }) =>
    object?.metadata?.name === 'webhook-to-be-mutated'
      ? {
          patch: [
            {
              op: 'add',
              path: '/spec/initContainers',
              value: [{ image: 'webhook-added-image', name: 'webhook-added-init-container', resources: {} }],
            },
          ],
        }
      : {},
  '/configmaps': ({ object }) =>
    object?.data?.[LABEL] === DISALLOW ? { reason: 'the configmap contains unwanted key and value' } : {},
  '/mutating-configmaps': ({ object }) => ({ patch: stages(object) }),
  '/mutating-custom-resource': ({ object }) => ({ patch: stages(object) }),
  '/custom-resource': ({ operation, object, oldObject }) => {
    if (operation === 'DELETE')
      return oldObject?.data?.[LABEL] === 'webhook-nondeletable'
        ? { reason: 'the custom resource cannot be deleted because it contains unwanted key and value' }
        : {};
    return object?.data?.[LABEL] === DISALLOW ? { reason: 'the custom resource contains unwanted data' } : {};
  },
  '/crd': ({ object }) =>
    object?.metadata?.labels?.[LABEL] === DISALLOW ? { reason: 'the crd contains unwanted label' } : {},
};

function stages(object: AdmissionObject | undefined): object[] {
  const steps = [
    ['mutation-start', 'mutation-stage-1'],
    ['mutation-stage-1', 'mutation-stage-2'],
  ] as const;
  return steps
    .filter(([from]) => object?.data?.[from] === 'yes')
    .map(([, to]) => ({ op: 'add', path: `/data/${to}`, value: 'yes' }));
}

interface Converted {
  readonly hostPort?: string;
  readonly host?: string;
  readonly port?: string;
}

/** Upstream's test converter: `hostPort` of v1 is `host` and `port` of v2. */
function convert(body: string): object {
  const { apiVersion, kind, request } = JSON.parse(body) as {
    apiVersion: string;
    kind: string;
    request: { uid: string; desiredAPIVersion: string; objects: Converted[] };
  };
  const { uid, desiredAPIVersion } = request;
  const convertedObjects = request.objects.map(({ hostPort, host, port, ...rest }) => {
    const object = { ...rest, apiVersion: desiredAPIVersion };
    if (!desiredAPIVersion.endsWith('/v2'))
      return host === undefined ? object : { ...object, hostPort: `${host}:${port}` };
    const parts = hostPort?.split(':');
    return parts === undefined ? object : { ...object, host: parts[0], port: parts[1] };
  });
  return { apiVersion, kind, response: { uid, result: { status: 'Success' }, convertedObjects } };
}

async function review(path: string, body: string): Promise<object> {
  if (path === '/crdconvert') return convert(body);
  const { apiVersion, kind, request } = JSON.parse(body) as {
    apiVersion: string;
    kind: string;
    request: AdmissionRequest;
  };
  const { reason, patch = [] } = (await ANSWERS[path]?.(request)) ?? { reason: `no such path: ${path}` };
  const response = {
    uid: request.uid,
    allowed: reason === undefined,
    ...(reason === undefined ? {} : { status: { message: reason } }),
    ...(patch.length === 0
      ? {}
      : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }),
  };
  return { apiVersion, kind, response };
}

const SERVICE = 'e2e-test-webhook';

/** Upstream's test webhook behind a Service of the spec's namespace. */
export class WebhookServer {
  readonly #context: SpecContext;
  readonly #caBundle: string;

  private constructor(context: SpecContext, caBundle: string) {
    this.#context = context;
    this.#caBundle = caBundle;
  }

  static async start(context: SpecContext): Promise<WebhookServer> {
    const { ca, cert, key } = certify(SERVICE, context.namespace);
    const server: Server = createServer({ cert, key }, (request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'https://webhook');
      text(request)
        .then((body) => review(pathname, body))
        .then((answer) => response.end(JSON.stringify(answer)))
        .catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, ownAddress(), resolve));
    context.defer(async () => {
      server.closeAllConnections();
      server.close();
    });
    await serviceTo(context, SERVICE, (server.address() as AddressInfo).port);
    return new WebhookServer(context, Buffer.from(ca).toString('base64'));
  }

  /** Where one of the paths is. */
  at(path: string): object {
    const { namespace } = this.#context;
    return { service: { namespace, name: SERVICE, path, port: 8443 }, caBundle: this.#caBundle };
  }

  /** A webhook for objects of the spec's namespace. */
  webhook(name: string, path: string, more: object = {}): object {
    return {
      name,
      clientConfig: this.at(path),
      sideEffects: 'None',
      admissionReviewVersions: ['v1', 'v1beta1'],
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': this.#context.namespace } },
      ...more,
    };
  }

  /** Creates a configuration, which goes with the spec. Returns its name. */
  async configure(
    kind: 'mutating' | 'validating',
    webhooks: readonly object[],
    labels = {},
  ): Promise<string> {
    const name = this.#context.unique(`e2e-${kind}`);
    const resource = this.configurations(kind);
    await resource.create({ metadata: { name, labels }, webhooks } as never);
    this.#context.defer(async () => await resource.delete(name));
    return name;
  }

  configurations(kind: 'mutating' | 'validating') {
    return this.#context.cluster.resource<Configuration>(
      'admissionregistration.k8s.io/v1',
      `${kind}webhookconfigurations`,
    );
  }
}

export interface Configuration {
  metadata: { name?: string; labels?: Record<string, string>; uid?: string };
  webhooks?: { name: string; rules?: object[]; matchConditions?: { name: string; expression: string }[] }[];
}

export const rule = (
  operations: readonly string[],
  resource: string,
  group = '',
  version = 'v1',
): object => ({
  operations,
  apiGroups: [group],
  apiVersions: [version],
  resources: [resource],
});
