import { forbiddenField, invalidValue, notSupported, required } from '../../../api/field-errors.ts';
import { httpHeaderNameProblems } from '../../../api/names.ts';
import type { FieldError } from '../../../api/status.ts';
import type { Lifecycle, LifecycleHandler, Probe } from '../../../api/types.gen.ts';
import { eachOf, nonNegative, portNumber, portNumberOrName, problemsOf } from '../field-checks.ts';

type Handler = LifecycleHandler & Pick<Probe, 'grpc'>;

/** What a container does when probed, started or stopped: exactly one action. */
function validateHandler(handler: Handler, path: string, grace: number | undefined): FieldError[] {
  const errors: FieldError[] = [];
  let actions = 0;
  const only = (name: string, check: () => FieldError[]): void => {
    if (++actions > 1)
      errors.push(forbiddenField(`${path}.${name}`, 'may not specify more than 1 handler type'));
    else errors.push(...check());
  };
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  if (exec) only('exec', () => (exec.command?.length ? [] : [required(`${path}.exec.command`)]));
  if (httpGet) only('httpGet', () => validateHttpGet(httpGet, `${path}.httpGet`));
  if (tcpSocket) only('tcpSocket', () => portNumberOrName(`${path}.tcpSocket.port`, tcpSocket.port));
  if (grpc) only('grpc', () => portNumber(`${path}.grpc.port`, grpc.port));
  if (sleep) {
    only('sleep', () => {
      const max = grace ?? 30;
      if (sleep.seconds >= 0 && sleep.seconds <= max) return [];
      const why = `must be non-negative and less than terminationGracePeriodSeconds (${max})`;
      return [invalidValue(`${path}.sleep`, sleep.seconds, why)];
    });
  }
  if (actions === 0) errors.push(required(path, 'must specify a handler type'));
  return errors;
}

function validateHttpGet(action: NonNullable<Probe['httpGet']>, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!action.path) errors.push(required(`${path}.path`));
  errors.push(...portNumberOrName(`${path}.port`, action.port));
  if (action.scheme !== 'HTTP' && action.scheme !== 'HTTPS') {
    errors.push(notSupported(`${path}.scheme`, action.scheme, ['HTTP', 'HTTPS']));
  }
  errors.push(
    ...eachOf(action.httpHeaders, `${path}.httpHeaders`, ({ name }, at) =>
      problemsOf(`${at}.name`, name, httpHeaderNameProblems),
    ),
  );
  return errors;
}

function validateProbe(probe: Probe | undefined, path: string): FieldError[] {
  if (probe === undefined) return [];
  const errors = validateHandler(probe, path, undefined);
  for (const field of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const) {
    errors.push(...nonNegative(`${path}.${field}`, probe[field]));
  }
  const grace = probe.terminationGracePeriodSeconds;
  if (grace !== undefined && grace <= 0) {
    errors.push(invalidValue(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'));
  }
  return errors;
}

interface Probed {
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly startupProbe?: Probe;
  readonly lifecycle?: Lifecycle;
}

export function validateProbes(container: Probed, path: string, grace: number | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const { livenessProbe, readinessProbe, startupProbe, lifecycle } = container;
  for (const [name, handler] of [
    ['postStart', lifecycle?.postStart],
    ['preStop', lifecycle?.preStop],
  ] as const) {
    if (handler) errors.push(...validateHandler(handler, `${path}.lifecycle.${name}`, grace));
  }
  errors.push(...validateProbe(livenessProbe, `${path}.livenessProbe`));
  errors.push(...mustSucceedOnce(livenessProbe, `${path}.livenessProbe`));
  errors.push(...validateProbe(readinessProbe, `${path}.readinessProbe`));
  if (readinessProbe?.terminationGracePeriodSeconds !== undefined) {
    const field = `${path}.readinessProbe.terminationGracePeriodSeconds`;
    errors.push(
      invalidValue(
        field,
        readinessProbe.terminationGracePeriodSeconds,
        'must not be set for readinessProbes',
      ),
    );
  }
  errors.push(...validateProbe(startupProbe, `${path}.startupProbe`));
  errors.push(...mustSucceedOnce(startupProbe, `${path}.startupProbe`));
  return errors;
}

function mustSucceedOnce(probe: Probe | undefined, path: string): FieldError[] {
  return probe?.successThreshold !== undefined && probe.successThreshold !== 1
    ? [invalidValue(`${path}.successThreshold`, probe.successThreshold, 'must be 1')]
    : [];
}
