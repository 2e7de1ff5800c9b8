import { forbiddenField, invalidValue, notSupported, required } from '../../../api/field-errors.ts';
import type { FieldError } from '../../../api/status.ts';
import type {
  LimitResponse,
  PriorityLevelConfiguration,
  PriorityLevelConfigurationSpec,
  QueuingConfiguration,
} from '../../../api/types.gen.ts';
import { MANDATORY_LEVELS } from '../../fairness/default-objects.ts';
import { differsFromFixed } from './fixed-spec.ts';

const MAX_QUEUES = 10_000_000;
/** A hand is dealt from so many bits of a hash. */
const MAX_HASH_BITS = 60;

/** As upstream's pkg/apis/flowcontrol/validation. */
export function validatePriorityLevel({ metadata, spec }: PriorityLevelConfiguration): FieldError[] {
  if (spec === undefined) return [];
  const name = metadata.name ?? '';
  const errors = validateType(spec);
  const fixed = MANDATORY_LEVELS.find((one) => one.metadata.name === name);
  if (spec.type === 'Exempt' && name !== 'exempt')
    errors.push(
      invalidValue('spec.type', spec.type, "must be 'Limited' if and only if `name` is not 'exempt'"),
    );
  if (name === 'exempt' && spec.type !== 'Exempt')
    errors.push(invalidValue('spec.type', spec.type, "must be 'Exempt' if `name` is 'exempt'"));
  if (fixed && name !== 'exempt' && differsFromFixed(spec, fixed.spec))
    errors.push(invalidValue('spec', spec, `spec of '${name}' must equal the fixed value`));
  return errors;
}

function validateType({ type, limited, exempt }: PriorityLevelConfigurationSpec): FieldError[] {
  if (type === 'Exempt') {
    return [
      ...(limited ? [forbiddenField('spec.limited', 'must be nil if the type is not Limited')] : []),
      ...(exempt ? validateShares(exempt, 'spec.exempt') : []),
    ];
  }
  if (type !== 'Limited') return [notSupported('spec.type', type, ['Exempt', 'Limited'])];
  if (exempt) return [forbiddenField('spec.exempt', 'must be nil if the type is Limited')];
  if (!limited) return [required('spec.limited', 'must not be empty when type is Limited')];
  const { borrowingLimitPercent, limitResponse } = limited;
  return [
    ...validateShares(limited, 'spec.limited'),
    ...(borrowingLimitPercent !== undefined && borrowingLimitPercent < 0
      ? [
          invalidValue(
            'spec.limited.borrowingLimitPercent',
            borrowingLimitPercent,
            'if specified, must be a non-negative integer',
          ),
        ]
      : []),
    ...validateResponse(limitResponse, 'spec.limited.limitResponse'),
  ];
}

function validateShares(
  {
    nominalConcurrencyShares: shares = 0,
    lendablePercent = 0,
  }: { nominalConcurrencyShares?: number; lendablePercent?: number },
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  if (shares < 0)
    errors.push(invalidValue(`${path}.nominalConcurrencyShares`, shares, 'must be a non-negative integer'));
  if (lendablePercent < 0 || lendablePercent > 100)
    errors.push(
      invalidValue(`${path}.lendablePercent`, lendablePercent, 'must be between 0 and 100, inclusive'),
    );
  return errors;
}

function validateResponse(response: LimitResponse | undefined, path: string): FieldError[] {
  const { type = '', queuing } = response ?? {};
  if (type === 'Reject')
    return queuing
      ? [forbiddenField(`${path}.queuing`, 'must be nil if limited.limitResponse.type is not Limited')]
      : [];
  if (type !== 'Queue') return [notSupported(`${path}.type`, type, ['Queue', 'Reject'])];
  return queuing
    ? validateQueuing(queuing, `${path}.queuing`)
    : [required(`${path}.queuing`, 'must not be empty if limited.limitResponse.type is Limited')];
}

function validateQueuing(
  { queues = 0, handSize = 0, queueLengthLimit = 0 }: QueuingConfiguration,
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  if (queueLengthLimit <= 0)
    errors.push(invalidValue(`${path}.queueLengthLimit`, queueLengthLimit, 'must be positive'));
  if (queues <= 0) errors.push(invalidValue(`${path}.queues`, queues, 'must be positive'));
  else if (queues > MAX_QUEUES)
    errors.push(invalidValue(`${path}.queues`, queues, `must not be greater than ${MAX_QUEUES}`));
  if (handSize <= 0) errors.push(invalidValue(`${path}.handSize`, handSize, 'must be positive'));
  else if (handSize > queues)
    errors.push(invalidValue(`${path}.handSize`, handSize, `should not be greater than queues (${queues})`));
  else if (hashBits(queues, handSize) > MAX_HASH_BITS)
    errors.push(
      invalidValue(
        `${path}.handSize`,
        handSize,
        `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${MAX_HASH_BITS}`,
      ),
    );
  return errors;
}

function hashBits(queues: number, handSize: number): number {
  let bits = 0;
  for (let dealt = 0; dealt < handSize && bits <= MAX_HASH_BITS; dealt++) bits += Math.log2(queues - dealt);
  return Math.ceil(bits);
}
