import { adaptJson } from '../../../api/cel/adapt.ts';
import { namespaceType, requestType } from '../../../api/cel/admission/request-types.ts';
import type { Activation } from '../../../api/cel/environment.ts';
import { type Authorize, authorizerValue, resourceCheckValue } from '../../../api/cel/library/authorizer.ts';
import type { Value } from '../../../api/cel/values.ts';
import type { Resource } from '../../../api/resource.ts';
import type { Namespace } from '../../../api/types.gen.ts';
import type { AdmissionAttributes } from '../port.ts';
import type { ShownObjects } from '../webhook/shown-objects.ts';

type Kind = Pick<Resource, 'group' | 'version' | 'kind'>;

export interface AdmissionInputs {
  readonly attributes: AdmissionAttributes;
  readonly objects: ShownObjects;
  /** The resource and kind in the version that the expressions are made for. */
  readonly resource: Resource;
  readonly kind: Kind;
  readonly requestKind: Kind;
  /** The namespace of the request; of a Namespace none. */
  readonly namespace?: Namespace | undefined;
  readonly params?: object | undefined;
  readonly authorize: Authorize;
}

/** The variables that expressions of admission see. Each is made when it is first asked for. */
export function admissionVariables(inputs: AdmissionInputs): Activation {
  const known = new Map<string, Value | undefined>();
  return (name) => {
    if (!known.has(name)) known.set(name, make(name, inputs));
    return known.get(name);
  };
}

function make(name: string, inputs: AdmissionInputs): Value | undefined {
  const { attributes, objects, namespace, params, authorize, resource } = inputs;
  switch (name) {
    case 'object':
      return adaptJson(objects.object ?? null);
    case 'oldObject':
      return adaptJson(objects.oldObject ?? null);
    case 'params':
      return adaptJson(params ?? null);
    case 'request':
      return requestType.adapt(admissionRequest(inputs));
    case 'namespaceObject':
      return namespaceType.adapt(namespace ? namespaceObject(namespace) : null);
    case 'authorizer':
      return authorizerValue(authorize);
    case 'authorizer.requestResource': {
      const { subresource, namespace: where } = attributes;
      const { group } = resource;
      const asked = { group, resource: resource.resource, subresource, namespace: where };
      return resourceCheckValue(authorize, { ...asked, name: attributes.name });
    }
    default:
      return undefined;
  }
}

/** The request as an AdmissionRequest, without its objects; what is empty is not there, as in its JSON. */
function admissionRequest({ attributes, resource, kind, requestKind }: AdmissionInputs): object {
  const { requested, subresource, name, namespace, operation, user, dryRun, options } = attributes;
  const kindOf = ({ group, version, kind: shown }: Kind) => ({ group, version, kind: shown });
  const resourceOf = (one: Resource) => ({
    group: one.group,
    version: one.version,
    resource: one.resource,
  });
  return {
    kind: kindOf(kind),
    resource: resourceOf(resource),
    ...(subresource === '' ? {} : { subResource: subresource, requestSubResource: subresource }),
    requestKind: kindOf(requestKind),
    requestResource: resourceOf(requested),
    ...(name === '' ? {} : { name }),
    ...(namespace === '' ? {} : { namespace }),
    operation,
    userInfo: {
      username: user.name,
      ...(user.uid ? { uid: user.uid } : {}),
      groups: user.groups,
      ...(user.extra ? { extra: user.extra } : {}),
    },
    dryRun,
    options: options ?? null,
  };
}

/** Of a Namespace only what is no secret of the server's bookkeeping. */
function namespaceObject({ metadata, spec, status }: Namespace): object {
  return { metadata: { ...metadata, UID: metadata.uid }, spec: spec ?? {}, status: status ?? {} };
}
