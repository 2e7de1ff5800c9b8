import type { JsonObject } from '../../../api/json-value.ts';
import { applyJsonPatch } from '../../../api/patch/json-patch.ts';
import type { KubeObject } from '../../../api/resource.ts';
import { mutatingWebhookConfigurations } from '../../../api/resources.gen.ts';
import { type ApiError, apiError } from '../../../api/status.ts';
import type { AdmissionAttributes, AdmissionContext, AdmissionPlugin } from '../port.ts';
import { Rounds } from '../reinvocation.ts';
import { CallFailure, callWebhook, closedBy, observeCall, Rejection, refuseLate } from './call.ts';
import { type Invocation, requestNamespace } from './invocation.ts';
import type { Verdict } from './review.ts';
import { ObjectVersions } from './shown-objects.ts';
import { WebhookSource } from './source.ts';

/** Asks the mutating webhooks that want to be asked, one after the other, and applies their patches. */
export function mutatingAdmissionWebhook(context: AdmissionContext): AdmissionPlugin {
  const source = new WebhookSource(context, mutatingWebhookConfigurations);
  return {
    name: 'MutatingAdmissionWebhook',
    handles: (attributes) => source.mayConcern(attributes),
    async mutate(attributes) {
      const { reinvocation, object } = attributes;
      const rounds = reinvocation.stateOf('MutatingAdmissionWebhook', () => new Rounds());
      if (reinvocation.isReinvoke && rounds.isOutputChanged(object)) rounds.changed();
      const versions = new ObjectVersions(attributes, context);
      for (const [index, hook] of source.hooks.entries()) {
        const invocation = await source.invocation(hook, attributes, versions);
        if (!invocation || (reinvocation.isReinvoke && !rounds.isAgain(hook.id))) continue;
        const call = new MutatingCall(context, attributes, versions, { ...invocation, index });
        if (await call.run()) {
          rounds.changed();
          reinvocation.isWanted = true;
        }
        if (hook.webhook.reinvocationPolicy === 'IfNeeded') rounds.asked(hook.id);
      }
      rounds.leave(object);
    },
  };
}

/** One webhook asked once. */
class MutatingCall {
  readonly #context: AdmissionContext;
  readonly #attributes: AdmissionAttributes;
  readonly #versions: ObjectVersions;
  readonly #invocation: Invocation;
  /** `round_0_index_2`, as the audit log tells calls apart. */
  readonly #place: string;

  constructor(
    context: AdmissionContext,
    attributes: AdmissionAttributes,
    versions: ObjectVersions,
    invocation: Invocation & { readonly index: number },
  ) {
    this.#context = context;
    this.#attributes = attributes;
    this.#versions = versions;
    this.#invocation = invocation;
    this.#place = `round_${attributes.reinvocation.isReinvoke ? 1 : 0}_index_${invocation.index}`;
  }

  /** True when the object is another one now. Throws what the client is to hear. */
  async run(): Promise<boolean> {
    const { clock, webhookMetrics, log } = this.#context;
    const { webhook } = this.#invocation.hook;
    const startMs = clock.monotonicMs();
    const settle = (error?: unknown): void => {
      const durationMs = clock.monotonicMs() - startMs;
      const attributes = this.#attributes;
      observeCall(webhookMetrics, { webhook, attributes, type: 'admit', durationMs, error });
    };
    try {
      const isChanged = await this.#ask();
      settle();
      return isChanged;
    } catch (error) {
      settle(error);
      if (error instanceof Rejection) throw error.status;
      if (!(error instanceof CallFailure)) throw error;
      if (webhook.failurePolicy !== 'Ignore') throw closedBy(error);
      log.warn('failed calling webhook, failing open', { webhook: webhook.name, error });
      this.#attributes.annotate(`failed-open.mutation.webhook.admission.k8s.io/${this.#place}`, webhook.name);
      refuseLate(this.#attributes);
      return false;
    }
  }

  async #ask(): Promise<boolean> {
    const { hook, resource } = this.#invocation;
    const attributes = this.#attributes;
    let mutated = false;
    try {
      const subject = {
        resource,
        kind: this.#versions.kindIn(resource),
        requestKind: this.#versions.kindIn(attributes.requested),
        namespace: requestNamespace(attributes),
        objects: await this.#versions.in(resource),
      };
      const { webhook } = hook;
      const { webhooks: client } = this.#context;
      const verdict = await callWebhook({ client, webhook, attributes, subject, mutating: true });
      mutated = await this.#apply(verdict, subject.objects.object);
    } finally {
      this.#annotate('mutation', { mutated });
    }
    return mutated;
  }

  async #apply({ patch, patchType }: Verdict, object: KubeObject | undefined): Promise<boolean> {
    const { hook, resource } = this.#invocation;
    const { name } = hook.webhook;
    if (patch === undefined) return false;
    const operations = decodePatch(name, patch);
    if (operations.length === 0) return false;
    if (!object) {
      const why = `admission webhook ${JSON.stringify(name)} attempted to modify the object, which is not supported for this operation`;
      throw internal(why);
    }
    if (patchType !== 'JSONPatch')
      throw new CallFailure(name, `unsupported patch type ${JSON.stringify(patchType)}`, { code: 400 });
    let mutated: boolean;
    try {
      const patched = applyJsonPatch(object as unknown as JsonObject, operations);
      mutated = await this.#versions.replace(resource, patched);
    } catch (cause) {
      throw internal(patchProblem(cause as ApiError), cause);
    }
    this.#annotate('patch', { patch: operations, patchType });
    return mutated;
  }

  #annotate(what: 'mutation' | 'patch', value: object): void {
    const { hook } = this.#invocation;
    const text = JSON.stringify({ configuration: hook.configuration, webhook: hook.webhook.name, ...value });
    this.#attributes.annotate(`${what}.webhook.admission.k8s.io/${this.#place}`, text);
  }
}

function decodePatch(webhook: string, patch: string): readonly unknown[] {
  try {
    const operations: unknown = JSON.parse(patch);
    if (Array.isArray(operations)) return operations;
    throw new Error('a JSON patch is a list of operations');
  } catch (cause) {
    const why = `received undecodable patch in webhook response: ${(cause as Error).message}`;
    throw new CallFailure(webhook, why, { code: 503, cause });
  }
}

/** Why an operation does not apply stands in the cause of that error. */
function patchProblem({ status, message }: ApiError): string {
  return (
    status?.details?.causes?.find(({ reason }) => reason === 'UnexpectedServerResponse')?.message ?? message
  );
}

function internal(why: string, cause?: unknown): ApiError {
  return apiError('InternalError', `Internal error occurred: ${why}`, {
    details: { causes: [{ message: why }] },
    cause,
  });
}
