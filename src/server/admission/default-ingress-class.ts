import { ingressClasses, ingresses } from '../../api/resources.gen.ts';
import type { Ingress } from '../../api/types.gen.ts';
import type { AdmissionPlugin } from './port.ts';
import { refuse } from './refuse.ts';

const DEFAULT_ANNOTATION = 'ingressclass.kubernetes.io/is-default-class';
const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';

/** An Ingress that names no class gets the default one, if there is just one. */
export function defaultIngressClass(): AdmissionPlugin {
  return {
    name: 'DefaultIngressClass',
    concerns: ({ operation, resource, subresource }) =>
      operation === 'CREATE' &&
      subresource === '' &&
      resource.group === ingresses.group &&
      resource.resource === ingresses.resource,
    async mutate(attributes) {
      const ingress = attributes.object as Ingress;
      if (
        ingress.spec?.ingressClassName !== undefined ||
        ingress.metadata.annotations?.[CLASS_ANNOTATION] !== undefined
      )
        return;
      const { items } = await attributes.client.list(ingressClasses);
      const defaults = items.filter(({ metadata }) => metadata.annotations?.[DEFAULT_ANNOTATION] === 'true');
      if (defaults.length > 1) {
        throw refuse(attributes, `${defaults.length} default IngressClasses were found, only 1 allowed`);
      }
      const name = defaults[0]?.metadata.name;
      if (name) ingress.spec = { ...ingress.spec, ingressClassName: name };
    },
  };
}
