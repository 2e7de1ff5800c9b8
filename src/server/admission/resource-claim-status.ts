import { forbiddenField } from '../../api/field-errors.ts';
import { equalJson } from '../../api/json-value.ts';
import { resourceClaims } from '../../api/resources.gen.ts';
import { type FieldError, invalid } from '../../api/status.ts';
import type { ResourceResourceClaim } from '../../api/types.gen.ts';
import type { Attributes, Authorizer } from '../authz/port.ts';
import type { UserInfo } from '../registry/definition.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './port.ts';

type Status = NonNullable<ResourceResourceClaim['status']>;

const NODE_KEY = 'authentication.kubernetes.io/node-name';
/** The verb of the request is not known here: who may do either may do it. */
const VERBS = ['update', 'patch'];

/**
 * Who writes the status of a claim needs more than `resourceclaims/status`: `resourceclaims/binding` for what is
 * allocated and to whom, `resourceclaims/driver` for what a driver says of its devices (KEP-5000, on since 1.36).
 */
export function resourceClaimStatus(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'ResourceClaimStatusAuthorization',
    concerns: ({ operation, resource, subresource }) =>
      operation === 'UPDATE' &&
      subresource === 'status' &&
      resource.resource === resourceClaims.resource &&
      resource.group === resourceClaims.group,
    validate(attributes) {
      const next = (attributes.object as ResourceResourceClaim).status ?? {};
      const old = (attributes.oldObject as ResourceResourceClaim).status ?? {};
      const errors = [
        ...bindingErrors(authorizer, attributes, next, old),
        ...driverErrors(authorizer, attributes, next, old),
      ];
      if (errors.length > 0)
        throw invalid({ group: resourceClaims.group, kind: resourceClaims.kind }, attributes.name, errors);
    },
  };
}

function bindingErrors(
  authorizer: Authorizer,
  { user }: AdmissionAttributes,
  next: Status,
  old: Status,
): FieldError[] {
  const isSame =
    equalJson(next.allocation ?? null, old.allocation ?? null) &&
    equalJson(next.reservedFor ?? [], old.reservedFor ?? []);
  if (isSame || allows(authorizer, user, VERBS, { subresource: 'binding', namespace: '', name: '' }))
    return [];
  const why = 'changing status.allocation or status.reservedFor requires resource="resourceclaims/binding"';
  return [forbiddenField('status', `${why}, verb="update" permission`)];
}

function driverErrors(
  authorizer: Authorizer,
  { user, namespace }: AdmissionAttributes,
  next: Status,
  old: Status,
): FieldError[] {
  const isNear = user.extra?.[NODE_KEY]?.[0] !== undefined && user.extra[NODE_KEY][0] === allocatedNode(next);
  const verbs = [...(isNear ? ['associated-node:'] : []), 'arbitrary-node:'].flatMap((prefix) =>
    VERBS.map((verb) => prefix + verb),
  );
  return changedDrivers(next, old)
    .filter((name) => !allows(authorizer, user, verbs, { subresource: 'driver', namespace, name }))
    .map((name) =>
      forbiddenField(
        'status.devices',
        `changing status.devices requires resource="resourceclaims/driver", verb="${verbs.at(-2)}" permission for driver ${JSON.stringify(name)}`,
      ),
    );
}

function allows(
  authorizer: Authorizer,
  user: UserInfo,
  verbs: readonly string[],
  target: { readonly subresource: string; readonly namespace: string; readonly name: string },
): boolean {
  const { group, version, resource } = resourceClaims;
  return verbs.some((verb) => {
    const attributes: Attributes = { user, verb, group, version, resource, ...target };
    return authorizer.authorize(attributes).allowed;
  });
}

function changedDrivers(next: Status, old: Status): string[] {
  const byDevice = (status: Status) =>
    new Map(
      (status.devices ?? []).map((one) => [`${one.driver}/${one.pool}/${one.device}/${one.shareID}`, one]),
    );
  const [now, before] = [byDevice(next), byDevice(old)];
  const changed = [...new Set([...now.keys(), ...before.keys()])].filter(
    (key) => !equalJson(now.get(key) ?? null, before.get(key) ?? null),
  );
  return [...new Set(changed.map((key) => (now.get(key) ?? before.get(key))?.driver ?? ''))].sort();
}

/** The one node that an allocation is good for. */
function allocatedNode({ allocation }: Status): string | undefined {
  const terms = allocation?.nodeSelector?.nodeSelectorTerms ?? [];
  const [field] = terms[0]?.matchFields ?? [];
  const isOne = terms.length === 1 && !terms[0]?.matchExpressions?.length && field?.values?.length === 1;
  return isOne && field?.key === 'metadata.name' && field.operator === 'In' ? field.values?.[0] : undefined;
}
