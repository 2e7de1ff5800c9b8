import type { KubeObject, Resource } from '../../../api/resource.ts';
import {
  mutatingWebhookConfigurations,
  validatingWebhookConfigurations,
} from '../../../api/resources.gen.ts';
import type { MutatingWebhookConfiguration, ValidatingWebhookConfiguration } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, integerColumn, nameColumn } from '../columns.ts';
import { validateWebhooks, type Webhook } from './webhook-validation.ts';

interface Configuration extends KubeObject {
  webhooks?: Webhook[];
}

function defaultWebhook(webhook: Webhook, mutates: boolean): void {
  webhook.failurePolicy ??= 'Fail';
  webhook.matchPolicy ??= 'Equivalent';
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= 10;
  if (mutates) webhook.reinvocationPolicy ??= 'Never';
  for (const rule of webhook.rules ?? []) rule.scope ??= '*';
  if (webhook.clientConfig?.service !== undefined) webhook.clientConfig.service.port ??= 443;
}

function define<T extends Configuration>(options: {
  resource: Resource<T>;
  singular: string;
  mutates: boolean;
}): ResourceDefinition<T> {
  return {
    resource: options.resource,
    singular: options.singular,
    categories: ['api-extensions'],
    columns: [
      nameColumn,
      integerColumn('Webhooks', 'How many webhooks.', ({ webhooks }: T) => webhooks?.length),
      ageColumn,
    ],
    anyFinalizer: true,
    strategy: {
      hasGeneration: true,
      allowUnconditionalUpdate: false,
      generationIncludes: ({ webhooks }) => webhooks,
      default: ({ webhooks }) => {
        for (const webhook of webhooks ?? []) defaultWebhook(webhook, options.mutates);
      },
      validate: ({ webhooks }) => validateWebhooks(webhooks),
    },
  };
}

export const mutatingWebhookConfiguration = define<MutatingWebhookConfiguration>({
  resource: mutatingWebhookConfigurations,
  singular: 'mutatingwebhookconfiguration',
  mutates: true,
});

export const validatingWebhookConfiguration = define<ValidatingWebhookConfiguration>({
  resource: validatingWebhookConfigurations,
  singular: 'validatingwebhookconfiguration',
  mutates: false,
});
