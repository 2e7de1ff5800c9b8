import { randomUUID } from 'node:crypto';
import { isObject, type JsonObject } from '../../api/json-value.ts';
import { validateLabels } from '../../api/labels.ts';
import { apiError } from '../../api/status.ts';
import type { WebhookConversion } from '../../api/types.gen.ts';
import { LIMITS } from '../../lib/limits.ts';
import type { WebhookClient } from '../backend/webhook-client.ts';
import { validateAnnotations } from '../registry/metadata-validation.ts';

/** Another program that knows how versions of a custom resource differ (apiextensions-apiserver, webhook_converter.go). */
export interface ConversionWebhook {
  /**
   * Each object in the version wanted, in the same order; those that have it already are handed back. The objects are not
   * changed. Rejects with a 500 `ApiError` in upstream's words.
   */
  convert(objects: readonly JsonObject[], apiVersion: string): Promise<JsonObject[]>;
}

export function createConversionWebhook(
  client: WebhookClient,
  { clientConfig, conversionReviewVersions }: WebhookConversion,
): ConversionWebhook {
  return {
    async convert(objects, apiVersion) {
      const results = [...objects];
      const others = objects.flatMap((object, at) => (object['apiVersion'] === apiVersion ? [] : [at]));
      for (let start = 0; start < others.length; start += LIMITS.customResources.convertedAtOnce) {
        const places = others.slice(start, start + LIMITS.customResources.convertedAtOnce);
        const originals = places.map((at) => objects[at]!);
        const converted = await ask({
          client,
          clientConfig,
          conversionReviewVersions,
          originals,
          apiVersion,
        });
        places.forEach((at, index) => {
          results[at] = converted[index]!;
        });
      }
      return results;
    },
  };
}

interface Question {
  readonly client: WebhookClient;
  readonly clientConfig: WebhookConversion['clientConfig'];
  readonly conversionReviewVersions: readonly string[];
  readonly originals: readonly JsonObject[];
  readonly apiVersion: string;
}

const KNOWN_VERSIONS: ReadonlySet<string> = new Set(['v1', 'v1beta1']);
const GROUP = 'apiextensions.k8s.io';

async function ask(question: Question): Promise<JsonObject[]> {
  const { client, clientConfig, conversionReviewVersions, originals, apiVersion } = question;
  const [first = {}] = originals;
  const kind = `${String(first['apiVersion'])}, Kind=${String(first['kind'])}`;
  const fail = (what: string): Error => apiError('InternalError', `conversion webhook for ${kind} ${what}`);
  const version = conversionReviewVersions.find((one) => KNOWN_VERSIONS.has(one));
  if (version === undefined) throw apiError('InternalError', 'no supported conversion review versions');
  const uid = randomUUID();
  const body = {
    kind: 'ConversionReview',
    apiVersion: `${GROUP}/${version}`,
    request: { uid, desiredAPIVersion: apiVersion, objects: originals },
  };
  let converted: readonly unknown[];
  try {
    const answer = await client.call({
      clientConfig: clientConfig ?? {},
      body,
      timeoutMs: LIMITS.customResources.conversionMs,
    });
    converted = convertedIn(answer, version, uid);
  } catch (error) {
    throw fail(`failed: ${(error as Error).message}`);
  }
  if (converted.length !== originals.length)
    throw fail(`returned ${converted.length} objects, expected ${originals.length}`);
  return originals.map((original, index) => {
    try {
      return checked(original, converted[index], apiVersion);
    } catch (error) {
      throw fail(`returned invalid converted object at index ${index}: ${(error as Error).message}`);
    }
  });
}

/** What the answer holds. Throws what is wrong with it. */
function convertedIn(answer: unknown, version: string, uid: string): readonly unknown[] {
  const { kind, apiVersion, response } = (isObject(answer) ? answer : {}) as JsonObject;
  // Webhooks of the older version were never held to these.
  const isStrict = version === 'v1';
  if (isStrict && (kind !== 'ConversionReview' || apiVersion !== `${GROUP}/v1`))
    throw new Error(
      `expected webhook response of ${GROUP}/v1, Kind=ConversionReview, got ${String(apiVersion ?? '')}, Kind=${String(kind ?? '')}`,
    );
  if (!isObject(response)) throw new Error('no response provided');
  if (isStrict && response['uid'] !== uid)
    throw new Error(
      `expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response['uid'] ?? '')}`,
    );
  const { status = '', message = '' } = (isObject(response['result']) ? response['result'] : {}) as {
    status?: unknown;
    message?: unknown;
  };
  if (status !== 'Success')
    throw new Error(
      message === '' ? `response.result.status was '${String(status)}', not 'Success'` : String(message),
    );
  const { convertedObjects } = response;
  return Array.isArray(convertedObjects) ? convertedObjects : [];
}

/** The object with the metadata it had, but for labels and annotations. Throws where the webhook changed what it is. */
function checked(original: JsonObject, converted: unknown, apiVersion: string): JsonObject {
  if (!isObject(converted)) throw new Error('no object');
  if (converted['apiVersion'] !== apiVersion)
    throw new Error(
      `invalid groupVersion (expected ${apiVersion}, received ${String(converted['apiVersion'])})`,
    );
  if (converted['kind'] !== original['kind'])
    throw new Error(
      `invalid kind (expected ${String(original['kind'])}, received ${String(converted['kind'])})`,
    );
  const before = metadataOf(original) ?? {};
  const after = metadataOf(converted);
  if (!after) throw new Error('missing metadata in converted object');
  for (const [field, shown] of [
    ['name', 'name'],
    ['namespace', 'namespace'],
    ['uid', 'UID'],
  ] as const) {
    if ((before[field] ?? '') !== (after[field] ?? ''))
      throw new Error(
        `must have the same ${shown}: ${String(before[field] ?? '')} != ${String(after[field] ?? '')}`,
      );
  }
  const metadata = { ...before };
  for (const field of ['labels', 'annotations'] as const) {
    const map = textMap(after[field], field);
    if (map) metadata[field] = map;
    else delete metadata[field];
  }
  return { ...converted, metadata } as JsonObject;
}

function metadataOf(object: Readonly<Record<string, unknown>>): JsonObject | undefined {
  const { metadata } = object;
  return isObject(metadata) ? (metadata as JsonObject) : undefined;
}

function textMap(value: unknown, field: 'labels' | 'annotations'): Record<string, string> | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value))
    throw new Error(`invalid metadata.${field} of type ${typeof value} in converted object`);
  for (const [key, one] of Object.entries(value))
    if (typeof one !== 'string')
      throw new Error(`metadata.${field}[${key}] must be a string, but is ${typeof one} in converted object`);
  const map = value as Record<string, string>;
  const [problem] = field === 'labels' ? validateLabels(map, 'metadata.labels') : validateAnnotations(map);
  if (problem) throw new Error(`${problem.field}: ${problem.message}`);
  return map;
}
