import { invalidValue } from '../../../api/field-errors.ts';
import type { KubeObject } from '../../../api/resource.ts';
import { nodes, pods, secrets, serviceAccounts } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import { badRequest, conflict, invalid, notFound } from '../../../api/status.ts';
import type { ServiceAccount, TokenRequest } from '../../../api/types.gen.ts';
import type { ResourceDefinition, StrategyContext } from '../../registry/definition.ts';
import { ageColumn, integerColumn, nameColumn } from '../columns.ts';

const TOKEN_REQUEST = { group: 'authentication.k8s.io', kind: 'TokenRequest' };
const HOUR_SECONDS = 3600;
/** Kubelet-mounted tokens ask for this; upstream refuses anything shorter than ten minutes. */
const MIN_SECONDS = 600;
const MAX_SECONDS = 2 ** 32;

function validateTokenRequest(request: TokenRequest): FieldError[] {
  const field = 'spec.expirationSeconds';
  const seconds = request.spec?.expirationSeconds ?? HOUR_SECONDS;
  if (seconds < MIN_SECONDS)
    return [invalidValue(field, seconds, 'may not specify a duration less than 10 minutes')];
  if (seconds > MAX_SECONDS)
    return [invalidValue(field, seconds, 'may not specify a duration larger than 2^32 seconds')];
  return [];
}

/** The object a token may be bound to, so that the token dies with it. */
const BOUND_KINDS = { Pod: pods, Secret: secrets, Node: nodes } as const;

async function checkBoundObject(
  request: TokenRequest,
  namespace: string,
  account: string,
  context: StrategyContext,
): Promise<void> {
  const reference = request.spec?.boundObjectRef;
  if (reference === undefined) return;
  const resource = Object.hasOwn(BOUND_KINDS, reference.kind ?? '')
    ? BOUND_KINDS[reference.kind as keyof typeof BOUND_KINDS]
    : undefined;
  if (resource === undefined || (reference.apiVersion ?? 'v1') !== 'v1') {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account)} to ${reference.kind} object`,
    );
  }
  const name = reference.name ?? '';
  const bound: KubeObject & { spec?: { serviceAccountName?: string } } = await context.client.get(
    resource as typeof pods,
    {
      name,
      namespace: resource.namespaced ? namespace : undefined,
    },
  );
  if (reference.uid && bound.metadata.uid !== reference.uid) {
    throw conflict(
      resource,
      name,
      `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  if (resource === pods && bound.spec?.serviceAccountName !== account) {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
    );
  }
}

export const serviceAccount: ResourceDefinition<ServiceAccount> = {
  resource: serviceAccounts,
  singular: 'serviceaccount',
  shortNames: ['sa'],
  returnsDeleted: true,
  columns: [
    nameColumn,
    integerColumn('Secrets', 'Number of secrets in use.', (object: ServiceAccount) => object.secrets?.length),
    ageColumn,
  ],
  strategy: { hasGeneration: false },
  subresources: [
    {
      name: 'token',
      kind: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
      create: async ({ name, namespace, body, context, parent }) => {
        const request: TokenRequest = body;
        const given = request.metadata ?? {};
        if (given.name && given.name !== name) {
          const why = 'must match the service account name if specified';
          throw invalid(TOKEN_REQUEST, name, [invalidValue('metadata.name', given.name, why)]);
        }
        const errors = validateTokenRequest(request);
        if (errors.length > 0) throw invalid(TOKEN_REQUEST, '', errors);
        const account = await parent();
        if (account.metadata.deletionTimestamp) throw notFound(serviceAccounts, name);
        await checkBoundObject(request, namespace, name, context);
        const spec = { ...request.spec, expirationSeconds: request.spec?.expirationSeconds ?? HOUR_SECONDS };
        return context.reviews.serviceAccountToken({
          account,
          request: { ...request, metadata: { name, namespace }, spec: spec as TokenRequest['spec'] & object },
        });
      },
    },
  ],
};
