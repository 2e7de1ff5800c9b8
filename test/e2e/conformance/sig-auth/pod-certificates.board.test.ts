import { X509Certificate } from 'node:crypto';
import { expect } from 'vitest';
import type {
  ClusterTrustBundle,
  CertificatesPodCertificateRequest as PodCertificateRequest,
  Volume,
} from '../../../../src/api/types.gen.ts';
import { issueCertificate } from '../../../../src/lib/pki/certificate.ts';
import { parseCertificateRequest } from '../../../../src/lib/pki/certificate-request.ts';
import { generateKeyPem, publicKeyOf, toPem } from '../../../../src/lib/pki/key.ts';
import { area } from '../area.ts';
import { programPod } from '../net-pods.ts';
import { outputOf, printed } from '../pod-output.ts';
import type { SpecContext } from '../spec-context.ts';

const LONG = { timeoutMs: 120_000 };
const FOLDER = '/run/tls-config';
const PATH_ANNOTATION = 'spiffe/path-overriding';
const DAY_SECONDS = 86_400;

/** Signs what is asked of it until the spec ends, and publishes whom to trust. Resolves with its name. */
async function signer(context: SpecContext): Promise<string> {
  const { cluster, namespace } = context;
  const name = context.unique('signer');
  const signerName = `e2e.example.com/${name}`;
  const keyPem = generateKeyPem();
  const certificatePem = issueCertificate({
    subject: { commonName: name },
    publicKey: publicKeyOf(keyPem),
    selfSigningKeyPem: keyPem,
    use: 'ca',
    notBeforeMs: Date.now() - 60_000,
    notAfterMs: Date.now() + 2 * DAY_SECONDS * 1000,
  });
  const bundles = cluster.resource<ClusterTrustBundle>('certificates.k8s.io/v1', 'clustertrustbundles');
  const bundle = `e2e.example.com:${name}:primary`;
  await bundles.create({ metadata: { name: bundle }, spec: { signerName, trustBundle: certificatePem } });
  context.defer(async () => await bundles.delete(bundle));
  const requests = cluster.resource<PodCertificateRequest>(
    'certificates.k8s.io/v1',
    'podcertificaterequests',
    namespace,
  );
  const watch = context.watch(requests, { fieldSelector: `spec.signerName=${signerName}` });
  const issue = async (request: PodCertificateRequest): Promise<void> => {
    const { spec } = request;
    const override = spec.unverifiedUserAnnotations?.[PATH_ANNOTATION];
    const path = override ?? `/ns/${namespace}/sa/${spec.serviceAccountName}`;
    const der = Buffer.from(spec.stubPKCS10Request, 'base64');
    const { publicKey } = parseCertificateRequest(toPem('CERTIFICATE REQUEST', der));
    const notBeforeMs = Math.floor(Date.now() / 1000) * 1000;
    const notAfterMs = notBeforeMs + (spec.maxExpirationSeconds ?? DAY_SECONDS) * 1000;
    const certificateChain = issueCertificate({
      subject: { commonName: '' },
      publicKey,
      issuer: { keyPem, certificatePem },
      use: 'server and client',
      names: { dnsNames: [], ips: [], uris: [`spiffe://cluster.local${path}`] },
      notBeforeMs,
      notAfterMs,
    });
    const at = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');
    const condition = { type: 'Issued', status: 'True', reason: 'Issued', message: 'signed by a test' };
    await requests.update(
      {
        ...request,
        status: {
          conditions: [{ ...condition, lastTransitionTime: at(Date.now()) }],
          certificateChain,
          notBefore: at(notBeforeMs),
          notAfter: at(notAfterMs),
          beginRefreshAt: at(notAfterMs - 30 * 60_000),
        },
      },
      'status',
    );
  };
  void (async () => {
    for (;;) {
      const { object } = await watch.next(
        ({ type, object: { status } }) => type !== 'DELETED' && !status?.conditions,
        LONG.timeoutMs,
      );
      await issue(object);
    }
  })().catch(() => {});
  return signerName;
}

interface Wish {
  readonly userAnnotations?: Record<string, string>;
  readonly maxExpirationSeconds?: number;
}

/** What a pod finds in its bundle. */
async function certificateOf(context: SpecContext, wish: Wish): Promise<X509Certificate> {
  const signerName = await signer(context);
  const podCertificate = {
    signerName,
    keyType: 'ED25519',
    credentialBundlePath: 'bundle.pem',
    ...wish,
  };
  const volume: Volume = { name: 'certificate', projected: { sources: [{ podCertificate }] } };
  const output = await outputOf(context, {
    run: `cat ${FOLDER}/bundle.pem`,
    container: { volumeMounts: [{ name: 'certificate', mountPath: FOLDER }] },
    spec: { volumes: [volume] },
  });
  expect(output).toMatch(/^-----BEGIN PRIVATE KEY-----\n[\s\S]*-----END CERTIFICATE-----\n$/);
  return new X509Certificate(output.slice(output.indexOf('-----BEGIN CERTIFICATE-----')));
}
const secondsOf = (certificate: X509Certificate): number =>
  (Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)) / 1000;

const FEATURES =
  '[FeatureGate:PodCertificateRequest] [FeatureGate:ClusterTrustBundle] [FeatureGate:ClusterTrustBundleProjection]';

area('sig-auth', `Projected PodCertificate ${FEATURES}`, (spec) => {
  const TAG = '[MinimumKubeletVersion:1.37]';
  spec(
    `MaxExpirationSeconds validations should issue certificate with default life time (24h) when MaxExpirationSeconds is not set ${TAG}`,
    async (context) => expect(secondsOf(await certificateOf(context, {}))).toBe(DAY_SECONDS),
    LONG,
  );
  spec(
    `MaxExpirationSeconds validations should issue certificate with specified duration (1h) when MaxExpirationSeconds is set ${TAG}`,
    async (context) =>
      expect(secondsOf(await certificateOf(context, { maxExpirationSeconds: 3600 }))).toBe(3600),
    LONG,
  );
  spec(
    `should honor UserAnnotations for SPIFFE URI path ${TAG}`,
    async (context) => {
      const userAnnotations = { [PATH_ANNOTATION]: '/custom-workload' };
      const { subjectAltName } = await certificateOf(context, { userAnnotations });
      expect(subjectAltName).toBe('URI:spiffe://cluster.local/custom-workload');
    },
    LONG,
  );

  spec(
    `should allow server and client pods to establish an mTLS connection ${TAG}`,
    async (context) => {
      const { namespace } = context;
      const signerName = await signer(context);
      const sources = [
        {
          podCertificate: {
            signerName,
            keyType: 'ECDSAP256',
            credentialBundlePath: 'spiffe-cred-bundle.pem',
          },
        },
        { clusterTrustBundle: { signerName, labelSelector: {}, path: 'spiffe-trust-bundle.pem' } },
      ];
      const create = async (app: string, ...args: string[]) => {
        const volumeMounts = [{ name: 'tls-config', mountPath: FOLDER }];
        const fields = programPod(['mtls', app, ...args], { volumeMounts });
        const volume: Volume = { name: 'tls-config', projected: { sources } };
        const labels = { app };
        await context.deployments.create({
          metadata: { name: app, labels },
          spec: {
            replicas: 1,
            selector: { matchLabels: labels },
            template: {
              metadata: { labels },
              spec: { ...fields, volumes: [...(fields.volumes ?? []), volume] },
            },
          },
        });
      };
      await create('server', '443');
      await context.services.create({
        metadata: { name: 'server' },
        spec: { selector: { app: 'server' }, ports: [{ name: 'https', port: 443 }] },
      });
      await create('client', `https://server.${namespace}.svc/spiffe-echo`);
      const name = await context.until('the client pod', async () => {
        const [found] = (await context.pods.list({ labelSelector: 'app=client' })).items;
        return found?.status?.phase === 'Running' && found.metadata.name;
      });
      await printed(
        context,
        name,
        `Got response body: Client Identity: spiffe://cluster.local/ns/${namespace}/sa/default`,
      );
    },
    LONG,
  );
});
