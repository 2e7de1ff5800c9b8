import { copyJson, type JsonObject } from '../../api/json-value.ts';
import type { KubeObject } from '../../api/resource.ts';
import { apiError } from '../../api/status.ts';
import { prune } from '../../api/structural/prune.ts';
import type { CustomResourceDefinition } from '../../api/types.gen.ts';
import type { WebhookClient } from '../backend/webhook-client.ts';
import type { CompiledSchemas } from './compiled-schemas.ts';
import { createConversionWebhook } from './conversion-webhook.ts';
import { bringUp } from './custom-schema.ts';

/** From version to version of custom resources whose definitions name a webhook for it. */
export class Conversions {
  readonly #definitionNamed: (name: string) => KubeObject | undefined;
  readonly #schemas: CompiledSchemas;
  readonly #webhooks: WebhookClient;

  constructor(options: {
    readonly definitionNamed: (name: string) => KubeObject | undefined;
    readonly schemas: CompiledSchemas;
    readonly webhooks: WebhookClient;
  }) {
    this.#definitionNamed = options.definitionNamed;
    this.#schemas = options.schemas;
    this.#webhooks = options.webhooks;
  }

  /**
   * Stored objects, which may be changed, as a version shows them: each first as its own schema wants it now, then as that
   * of the version does. Rejects with a 500 `ApiError`.
   */
  async convert(
    definition: string,
    objects: readonly JsonObject[],
    apiVersion: string,
  ): Promise<readonly JsonObject[]> {
    for (const object of objects) this.#bringUp(definition, object);
    const converted = await this.#ask(definition, objects, apiVersion);
    for (const object of converted) this.#bringUp(definition, object);
    return converted;
  }

  async fromStored(definition: string, object: KubeObject, apiVersion: string): Promise<KubeObject> {
    const { resourceVersion, ...metadata } = object.metadata;
    const stored = copyJson({ ...object, metadata }) as unknown as JsonObject;
    const [shown] = await this.convert(definition, [stored], apiVersion);
    const found = shown as unknown as KubeObject;
    return resourceVersion === undefined ? found : withRevision(found, resourceVersion);
  }

  /** What is stored of an object that was checked in its version. Rejects with a 500 `ApiError`. */
  async toStored(definition: string, object: KubeObject, apiVersion: string): Promise<KubeObject> {
    if (object.apiVersion === apiVersion) return object;
    const [stored] = await this.#ask(definition, [object as unknown as JsonObject], apiVersion);
    if (!stored) throw apiError('InternalError', 'the conversion webhook returned nothing');
    const schema = this.#schemas.find(definition, versionIn(apiVersion))?.schema;
    if (schema) prune(stored, schema);
    return stored as unknown as KubeObject;
  }

  async #ask(definition: string, objects: readonly JsonObject[], apiVersion: string): Promise<JsonObject[]> {
    const found = this.#definitionNamed(definition) as CustomResourceDefinition | undefined;
    const webhook = found?.spec.conversion?.webhook;
    if (!webhook) throw apiError('InternalError', `${definition} names no conversion webhook any more`);
    return await createConversionWebhook(this.#webhooks, webhook).convert(objects, apiVersion);
  }

  #bringUp(definition: string, object: JsonObject): void {
    const schema = this.#schemas.find(definition, versionIn(String(object['apiVersion'])))?.schema;
    if (schema) bringUp(object, schema);
  }
}

const versionIn = (apiVersion: string): string => apiVersion.split('/')[1] ?? '';

const withRevision = (object: KubeObject, resourceVersion: string): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion },
});
