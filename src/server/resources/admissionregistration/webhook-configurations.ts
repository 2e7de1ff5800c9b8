import { invalidValue, notSupported, required } from '../../../api/field-errors.ts';
import { dns1123SubdomainProblems } from '../../../api/names.ts';
import type { KubeObject, Resource } from '../../../api/resource.ts';
import {
  mutatingWebhookConfigurations,
  validatingWebhookConfigurations,
} from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  RuleWithOperations,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { ageColumn, integerColumn, nameColumn } from '../columns.ts';
import { eachOf, inRange, problemsOf } from '../field-checks.ts';

type Webhook = ValidatingWebhook & Pick<MutatingWebhook, 'reinvocationPolicy'>;
interface Configuration extends KubeObject {
  webhooks?: Webhook[];
}

const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];

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

function validateRule(
  { operations, apiGroups, apiVersions, resources }: RuleWithOperations,
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  if (!operations?.length) errors.push(required(`${path}.operations`));
  errors.push(
    ...eachOf(operations, `${path}.operations`, (one, at) =>
      OPERATIONS.includes(one) ? [] : [notSupported(at, one, OPERATIONS)],
    ),
  );
  if (operations?.includes('*') && operations.length > 1) {
    errors.push(
      invalidValue(`${path}.operations`, operations, "if '*' is present, must not specify other operations"),
    );
  }
  for (const [field, list] of [
    ['apiGroups', apiGroups],
    ['apiVersions', apiVersions],
    ['resources', resources],
  ] as const) {
    if (!list?.length) errors.push(required(`${path}.${field}`));
  }
  return errors;
}

function validateWebhook(webhook: Webhook, path: string): FieldError[] {
  const errors = problemsOf(`${path}.name`, webhook.name ?? '', dns1123SubdomainProblems);
  if ((webhook.name ?? '').split('.').length < 3) {
    errors.push(
      invalidValue(
        `${path}.name`,
        webhook.name,
        'should be a domain with at least three segments separated by dots',
      ),
    );
  }
  const { url, service } = webhook.clientConfig ?? {};
  if ((url === undefined) === (service === undefined)) {
    errors.push(required(`${path}.clientConfig`, 'exactly one of url or service is required'));
  }
  if (url !== undefined && !url.startsWith('https://')) {
    errors.push(
      invalidValue(
        `${path}.clientConfig.url`,
        url,
        "'https' is the only allowed URL scheme; desired format: https://host[/path]",
      ),
    );
  }
  if (!webhook.admissionReviewVersions?.length) {
    errors.push(required(`${path}.admissionReviewVersions`, 'must specify one of v1, v1beta1'));
  }
  if (webhook.sideEffects !== 'None' && webhook.sideEffects !== 'NoneOnDryRun') {
    errors.push(notSupported(`${path}.sideEffects`, webhook.sideEffects ?? '', ['None', 'NoneOnDryRun']));
  }
  return [
    ...errors,
    ...inRange(`${path}.timeoutSeconds`, webhook.timeoutSeconds, 1, 30),
    ...eachOf(webhook.rules, `${path}.rules`, validateRule),
  ];
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
    strategy: {
      hasGeneration: true,
      generationIncludes: ({ webhooks }) => webhooks,
      default: ({ webhooks }) => {
        for (const webhook of webhooks ?? []) defaultWebhook(webhook, options.mutates);
      },
      validate: ({ webhooks }) => eachOf(webhooks, 'webhooks', validateWebhook),
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
