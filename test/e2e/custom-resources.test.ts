import { afterAll, beforeAll, expect, it } from 'vitest';
import { Board } from './board.ts';

/** Custom resources of a real size, and everything around the engine that has to know of them. */
let board: Board;
beforeAll(async () => {
  board = Board.create({ agent: false });
  await board.start();
});
afterAll(async () => await board.remove());

const text = (description: string, more: object = {}): object => ({ type: 'string', description, ...more });
const object = (description: string, properties: object, more: object = {}): object => ({
  type: 'object',
  description,
  properties,
  ...more,
});
const list = (description: string, items: object, more: object = {}): object => ({
  type: 'array',
  description,
  items,
  ...more,
});
const reference = (what: string): object =>
  object(
    `Names ${what} in the namespace of the certificate.`,
    { name: text(`Name of ${what}.`), key: text(`Which entry of ${what} to use.`) },
    { required: ['name'] },
  );
const store = (format: string): object =>
  object(
    `Also writes the key pair as ${format}.`,
    {
      create: { type: 'boolean', description: `Whether to write ${format} at all.` },
      passwordSecretRef: reference('the secret with the password'),
      alias: text('The name of the entry.', { maxLength: 64 }),
    },
    { required: ['create', 'passwordSecretRef'] },
  );

/** Something like the Certificates of a well-known issuer: as many kinds of fields, in words of its own. */
const schema = object('A certificate that somebody keeps up to date in a secret.', {
  spec: object(
    'What the certificate should be.',
    {
      secretName: text('Name of the secret that will hold the key pair.', { minLength: 1, maxLength: 253 }),
      commonName: text('The common name of the subject, at most 64 characters.', { maxLength: 64 }),
      dnsNames: list(
        'Names that the certificate is valid for.',
        { type: 'string' },
        {
          maxItems: 100,
          'x-kubernetes-list-type': 'set',
        },
      ),
      ipAddresses: list('Addresses that the certificate is valid for.', { type: 'string' }),
      duration: text('How long a certificate is valid, such as 2160h.', { default: '2160h' }),
      renewBefore: text('How long before its end a certificate is renewed.'),
      isCA: { type: 'boolean', description: 'Whether it may sign other certificates.' },
      usages: list(
        'What the key may be used for.',
        { type: 'string', enum: ['signing', 'digital signature', 'server auth', 'client auth', 'cert sign'] },
        { 'x-kubernetes-list-type': 'atomic' },
      ),
      issuerRef: object(
        'Who signs.',
        {
          name: text('Name of the issuer.'),
          kind: text('Kind of the issuer.', { default: 'Issuer' }),
          group: text('Group of the issuer.'),
        },
        { required: ['name'], 'x-kubernetes-map-type': 'atomic' },
      ),
      privateKey: object('How the private key is made.', {
        algorithm: text('Which algorithm.', { enum: ['RSA', 'ECDSA', 'Ed25519'] }),
        size: { type: 'integer', format: 'int32', minimum: 256, maximum: 8192, description: 'Bits.' },
        rotationPolicy: text('Whether a new key is made for each renewal.', { enum: ['Never', 'Always'] }),
      }),
      subject: object(
        'More of the subject.',
        Object.fromEntries(
          ['countries', 'localities', 'organizations', 'postalCodes', 'provinces', 'streetAddresses'].map(
            (name) => [name, list(`The ${name} of the subject.`, { type: 'string' })],
          ),
        ),
      ),
      keystores: object('Other forms of the key pair.', {
        jks: store('a Java key store'),
        pkcs12: store('PKCS #12'),
      }),
      nameConstraints: object('Limits of an authority.', {
        permitted: object('What it may sign.', { dnsDomains: list('Domains.', { type: 'string' }) }),
        excluded: object('What it may not sign.', { dnsDomains: list('Domains.', { type: 'string' }) }),
      }),
      additionalOutputFormats: list(
        'More entries of the secret.',
        object(
          'One of them.',
          { type: text('Which form.', { enum: ['DER', 'CombinedPEM'] }) },
          { required: ['type'] },
        ),
        { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] },
      ),
      secretTemplate: object('Metadata of the secret.', {
        labels: { type: 'object', additionalProperties: { type: 'string' }, description: 'Labels.' },
      }),
      revisionHistoryLimit: {
        type: 'integer',
        format: 'int32',
        minimum: 1,
        description: 'Requests to keep.',
      },
    },
    {
      required: ['issuerRef', 'secretName'],
      'x-kubernetes-validations': [
        {
          rule: 'has(self.commonName) || (has(self.dnsNames) && size(self.dnsNames) > 0)',
          message: 'a common name or a DNS name is needed',
        },
        { rule: 'self.secretName == oldSelf.secretName', message: 'the secret cannot change' },
      ],
    },
  ),
  status: object('What was found.', {
    notAfter: text('End of the present certificate.', { format: 'date-time' }),
    conditions: list(
      'How it stands.',
      object(
        'One aspect.',
        {
          type: text('Which aspect.'),
          status: text('Whether it holds.', { enum: ['True', 'False', 'Unknown'] }),
          reason: text('Why, in a word.'),
          message: text('Why, in a sentence.'),
        },
        { required: ['type', 'status'] },
      ),
      { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] },
    ),
  }),
});
const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'certificates.keys.example.com' },
  spec: {
    group: 'keys.example.com',
    scope: 'Namespaced',
    names: {
      plural: 'certificates',
      singular: 'certificate',
      kind: 'Certificate',
      listKind: 'CertificateList',
      shortNames: ['cert'],
      categories: ['keys'],
    },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: schema },
        subresources: { status: {} },
        additionalPrinterColumns: [
          { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
          { name: 'Secret', type: 'string', jsonPath: '.spec.secretName' },
          { name: 'Issuer', type: 'string', jsonPath: '.spec.issuerRef.name', priority: 1 },
        ],
        selectableFields: [{ jsonPath: '.spec.issuerRef.name' }],
      },
    ],
  },
};

const certificate = (name: string, spec: object = {}, metadata: object = {}): string =>
  JSON.stringify({
    apiVersion: 'keys.example.com/v1',
    kind: 'Certificate',
    metadata: { name, ...metadata },
    spec: { secretName: `${name}-tls`, commonName: name, issuerRef: { name: 'own' }, ...spec },
  });
const ok = async (args: readonly string[], input?: string): Promise<string> =>
  await board.ok(args, input === undefined ? {} : { input });
async function failure(args: readonly string[], input: string): Promise<string> {
  const { code, stderr } = await board.kubectl(args, { input });
  expect(code).not.toBe(0);
  return stderr;
}

it('serves them to kubectl', async () => {
  await ok(['apply', '-f', '-'], JSON.stringify(definition));
  await ok(['wait', '--for=condition=Established', 'crd/certificates.keys.example.com']);
  expect(await ok(['explain', 'certificate.spec.privateKey'])).toContain('How the private key is made.');
  expect(await ok(['explain', 'cert.spec.privateKey.size'])).toMatch(/FIELD: size <integer>/);
  expect(await ok(['apply', '-f', '-'], certificate('web'))).toContain(
    'certificate.keys.example.com/web created',
  );
  expect(await ok(['apply', '-f', '-'], certificate('web'))).toContain('unchanged');
  expect(await ok(['apply', '--server-side', '--force-conflicts', '-f', '-'], certificate('web'))).toContain(
    'serverside-applied',
  );
  await ok([
    'patch',
    'cert',
    'web',
    '--subresource=status',
    '--type=merge',
    '-p',
    '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}',
  ]);
  expect(await ok(['get', 'cert'])).toMatch(/NAME\s+READY\s+SECRET\nweb\s+True\s+web-tls/);
  expect(await ok(['get', 'keys', '-o', 'name'])).toBe('certificate.keys.example.com/web\n');
  expect(await ok(['get', 'cert', '--field-selector', 'spec.issuerRef.name=own', '-o', 'name'])).toContain(
    'web',
  );
  expect(await ok(['get', 'cert', 'web', '-o', 'jsonpath={.spec.duration}/{.spec.issuerRef.kind}'])).toBe(
    '2160h/Issuer',
  );
  const wrong = certificate('wrong', { privateKey: { algorithm: 'DSA', size: 1 }, usages: ['flying'] });
  const message = await failure(['apply', '-f', '-'], wrong);
  expect(message).toContain('spec.privateKey.algorithm: Unsupported value: "DSA"');
  expect(message).toContain('spec.usages[0]: Unsupported value: "flying"');
  expect(await failure(['apply', '-f', '-'], certificate('wrong', { kye: 1 }))).toContain(
    'unknown field "spec.kye"',
  );
  expect(await failure(['apply', '-f', '-'], certificate('web', { secretName: 'other' }))).toContain(
    'the secret cannot change',
  );
});

it('counts and collects them, and takes them along with namespaces', async () => {
  await ok(['create', 'namespace', 'trial']);
  await ok(['create', 'quota', 'few', '--hard=count/certificates.keys.example.com=1', '-n', 'trial']);
  const used = ['get', 'quota', 'few', '-n', 'trial', '-o', 'jsonpath={.status.used}'];
  await ok(['apply', '-n', 'trial', '-f', '-'], certificate('one'));
  await board.until('the quota to count', async () => (await ok(used)).includes('"1"'));
  expect(await failure(['apply', '-n', 'trial', '-f', '-'], certificate('two'))).toContain(
    'exceeded quota: few',
  );
  await ok(['create', 'configmap', 'owner']);
  const uid = await ok(['get', 'configmap', 'owner', '-o', 'jsonpath={.metadata.uid}']);
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid }];
  await ok(['apply', '-f', '-'], certificate('owned', {}, { ownerReferences }));
  await ok(['delete', 'configmap', 'owner']);
  await board.until(
    'the owned one to go',
    async () => !(await ok(['get', 'cert', '-o', 'name'])).includes('owned'),
  );
  await ok(['delete', 'namespace', 'trial', '--timeout=60s']);
  expect(await ok(['get', 'cert', '-A', '-o', 'name'])).toBe('certificate.keys.example.com/web\n');
});

it('stores all objects in a new storage version when a migration asks for it', async () => {
  const [first] = definition.spec.versions;
  const versions = [
    { ...first, storage: false },
    { ...first, name: 'v2' },
  ];
  await ok(['apply', '-f', '-'], JSON.stringify({ ...definition, spec: { ...definition.spec, versions } }));
  const revision = ['get', 'cert', 'web', '-o', 'jsonpath={.metadata.resourceVersion}'];
  const before = await ok(revision);
  const migration = {
    apiVersion: 'storagemigration.k8s.io/v1',
    kind: 'StorageVersionMigration',
    metadata: { name: 'certificates' },
    spec: { resource: { group: 'keys.example.com', resource: 'certificates' } },
  };
  await ok(['create', '-f', '-'], JSON.stringify(migration));
  await ok(['wait', '--for=condition=Succeeded', 'storageversionmigration/certificates', '--timeout=60s']);
  expect(await ok(revision)).not.toBe(before);
  const stored = ['get', 'crd', 'certificates.keys.example.com', '-o', 'jsonpath={.status.storedVersions}'];
  expect(JSON.parse(await ok(stored))).toEqual(['v1', 'v2']);
});

it('finishes after a crash what the deletion of a definition began', async () => {
  await ok([
    'patch',
    'cert',
    'web',
    '--type=merge',
    '-p',
    '{"metadata":{"finalizers":["example.com/hold"]}}',
  ]);
  await ok(['delete', 'crd', 'certificates.keys.example.com', '--wait=false']);
  expect(await failure(['create', '-f', '-'], certificate('late'))).toContain('create not allowed while');
  await board.stop('SIGKILL');
  await board.start();
  await ok(['patch', 'cert', 'web', '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
  await ok(['wait', '--for=delete', 'crd/certificates.keys.example.com', '--timeout=60s']);
  expect(await ok(['api-resources', '--no-headers'])).not.toContain('keys.example.com');
});
