import { X509Certificate } from 'node:crypto';
import { forbiddenField, invalidValue, notOneOf, required } from '../../../api/field-errors.ts';
import { dns1035LabelProblems, dns1123SubdomainProblems, portNumberProblems } from '../../../api/names.ts';
import type { FieldError } from '../../../api/status.ts';
import type { CustomResourceConversion, WebhookConversion } from '../../../api/types.gen.ts';

type ClientConfig = NonNullable<WebhookConversion['clientConfig']>;

/** Versions of ConversionReview that this server speaks. */
const REVIEW_VERSIONS = ['v1', 'v1beta1'] as const;

export interface ConversionRules {
  readonly requireKnownReviewVersion: boolean;
  readonly allowInvalidCaBundle: boolean;
}

export function validateConversion(
  conversion: CustomResourceConversion | undefined,
  path: string,
  { requireKnownReviewVersion, allowInvalidCaBundle }: ConversionRules,
): FieldError[] {
  if (!conversion) return [];
  const { strategy, webhook } = conversion;
  const errors: FieldError[] = [];
  if (!strategy) errors.push(required(`${path}.strategy`));
  else if (strategy !== 'None' && strategy !== 'Webhook')
    errors.push(notOneOf(`${path}.strategy`, strategy, ['None', 'Webhook']));
  const config = webhook?.clientConfig;
  const versions = webhook?.conversionReviewVersions ?? [];
  const configPath = `${path}.webhookClientConfig`;
  const versionsPath = `${path}.conversionReviewVersions`;
  if (strategy !== 'Webhook') {
    const why = 'should not be set when strategy is not set to Webhook';
    if (config) errors.push(forbiddenField(configPath, why));
    if (versions.length > 0) errors.push(forbiddenField(versionsPath, why));
    return errors;
  }
  if (!config) errors.push(required(configPath, 'required when strategy is set to Webhook'));
  else errors.push(...validateClientConfig(config, configPath, allowInvalidCaBundle));
  return [...errors, ...validateReviewVersions(versions, versionsPath, requireKnownReviewVersion)];
}

function validateClientConfig(
  config: ClientConfig,
  path: string,
  allowInvalidCaBundle: boolean,
): FieldError[] {
  const { url, service, caBundle = '' } = config;
  const errors: FieldError[] = [];
  if ((url === undefined) === (service === undefined))
    errors.push(required(path, 'exactly one of url or service is required'));
  else if (url !== undefined) errors.push(...validateWebhookUrl(url, `${path}.url`));
  else if (service) errors.push(...validateService(service, `${path}.service`));
  if (caBundle !== '' && !allowInvalidCaBundle && !isCaBundle(caBundle)) {
    const why = 'unable to load root certificates: unable to parse bytes as PEM block';
    errors.push(invalidValue(`${path}.caBundle`, caBundle, why));
  }
  return errors;
}

const FORM = '; desired format: https://host[/path]';

function validateWebhookUrl(text: string, path: string): FieldError[] {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    const why = `url must be a valid URL: parse ${JSON.stringify(text)}: invalid URI for request${FORM}`;
    return [required(path, why)];
  }
  const errors: FieldError[] = [];
  const scheme = url.protocol.replace(/:$/, '');
  if (scheme !== 'https')
    errors.push(invalidValue(path, scheme, `'https' is the only allowed URL scheme${FORM}`));
  if (url.host === '') errors.push(invalidValue(path, '', `host must be specified${FORM}`));
  if (url.username !== '' || url.password !== '') {
    const user = url.password === '' ? url.username : `${url.username}:${url.password}`;
    errors.push(invalidValue(path, user, 'user information is not permitted in the URL'));
  }
  if (url.hash !== '')
    errors.push(invalidValue(path, url.hash.slice(1), 'fragments are not permitted in the URL'));
  if (url.search !== '')
    errors.push(invalidValue(path, url.search.slice(1), 'query parameters are not permitted in the URL'));
  return errors;
}

function validateService(service: NonNullable<ClientConfig['service']>, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!service.name) errors.push(required(`${path}.name`));
  if (!service.namespace) errors.push(required(`${path}.namespace`));
  const { port = 443, path: urlPath } = service;
  const problems = portNumberProblems(port);
  if (problems.length > 0)
    errors.push(invalidValue(`${path}.port`, port, `port is not valid: ${problems.join(', ')}`));
  if (urlPath === undefined || urlPath === '' || urlPath === '/') return errors;
  const at = `${path}.path`;
  if (urlPath === '//') return [...errors, invalidValue(at, urlPath, 'segment[0] may not be empty')];
  if (!urlPath.startsWith('/')) errors.push(invalidValue(at, urlPath, "must start with a '/'"));
  urlPath
    .slice(1)
    .replace(/\/$/, '')
    .split('/')
    .forEach((segment, index) => {
      if (segment === '') errors.push(invalidValue(at, urlPath, `segment[${index}] may not be empty`));
      else
        for (const problem of dns1123SubdomainProblems(segment))
          errors.push(invalidValue(at, urlPath, `segment[${index}]: ${problem}`));
    });
  return errors;
}

function validateReviewVersions(
  versions: readonly string[],
  path: string,
  requireKnown: boolean,
): FieldError[] {
  if (versions.length === 0) return [required(path)];
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  versions.forEach((version, index) => {
    if (seen.has(version)) {
      errors.push(invalidValue(`${path}[${index}]`, version, 'duplicate version'));
      return;
    }
    seen.add(version);
    for (const problem of dns1035LabelProblems(version))
      errors.push(invalidValue(`${path}[${index}]`, version, problem));
  });
  if (requireKnown && !hasKnownReviewVersion(versions))
    errors.push(invalidValue(path, versions, `must include at least one of ${REVIEW_VERSIONS.join(', ')}`));
  return errors;
}

export const hasKnownReviewVersion = (versions: readonly string[]): boolean =>
  versions.some((version) => (REVIEW_VERSIONS as readonly string[]).includes(version));

/** Whether base64 holds PEM with at least one certificate that can be read. */
export function isCaBundle(base64: string): boolean {
  const text = Buffer.from(base64, 'base64').toString('latin1');
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  return blocks.some((block) => {
    try {
      return new X509Certificate(block).raw.length > 0;
    } catch {
      return false;
    }
  });
}
