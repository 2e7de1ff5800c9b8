import { validatingWebhookConfigurations } from '../../../api/resources.gen.ts';
import type { AdmissionAttributes, AdmissionContext, AdmissionPlugin } from '../port.ts';
import { CallFailure, callWebhook, closedBy, observeCall, Rejection, refuseLate } from './call.ts';
import { type Invocation, requestNamespace } from './invocation.ts';
import { ObjectVersions } from './shown-objects.ts';
import { WebhookSource } from './source.ts';

/** Asks every validating webhook that wants to be asked, all at once; the first refusal counts. */
export function validatingAdmissionWebhook(context: AdmissionContext): AdmissionPlugin {
  const source = new WebhookSource(context, validatingWebhookConfigurations);
  return {
    name: 'ValidatingAdmissionWebhook',
    handles: (attributes) => source.mayConcern(attributes),
    async validate(attributes) {
      const versions = new ObjectVersions(attributes, context);
      const invocations: Invocation[] = [];
      for (const hook of source.hooks) {
        const invocation = await source.invocation(hook, attributes, versions);
        if (invocation) invocations.push(invocation);
      }
      const errors: unknown[] = [];
      await Promise.all(
        invocations.map((invocation, index) =>
          ask(context, attributes, versions, { ...invocation, index }).catch((error: unknown) =>
            errors.push(error),
          ),
        ),
      );
      if (errors.length > 0) throw errors[0];
    },
  };
}

async function ask(
  context: AdmissionContext,
  attributes: AdmissionAttributes,
  versions: ObjectVersions,
  { hook, resource, index }: Invocation & { readonly index: number },
): Promise<void> {
  const { webhooks, webhookMetrics, clock, log } = context;
  const { webhook } = hook;
  const startMs = clock.monotonicMs();
  const settle = (error?: unknown): void => {
    const durationMs = clock.monotonicMs() - startMs;
    observeCall(webhookMetrics, { webhook, attributes, type: 'validating', durationMs, error });
  };
  try {
    const subject = {
      resource,
      kind: versions.kindIn(resource),
      requestKind: versions.kindIn(attributes.requested),
      namespace: requestNamespace(attributes),
      objects: await versions.in(resource),
    };
    await callWebhook({ client: webhooks, webhook, attributes, subject, mutating: false });
    settle();
  } catch (error) {
    settle(error);
    if (error instanceof Rejection) throw error.status;
    if (!(error instanceof CallFailure)) throw error;
    if (webhook.failurePolicy !== 'Ignore') throw closedBy(error);
    log.warn('failed calling webhook, failing open', { webhook: webhook.name, error });
    attributes.annotate(
      `failed-open.validating.webhook.admission.k8s.io/round_0_index_${index}`,
      webhook.name,
    );
    refuseLate(attributes);
  }
}
