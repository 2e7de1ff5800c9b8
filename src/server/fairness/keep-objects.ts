import { copyJson } from '../../api/json-value.ts';
import type { KubeObject } from '../../api/resource.ts';
import type { FlowSchema, FlowSchemaCondition, PriorityLevelConfiguration } from '../../api/types.gen.ts';
import { differsFromFixed } from '../resources/flowcontrol/fixed-spec.ts';
import {
  AUTOUPDATE,
  MANDATORY_LEVELS,
  MANDATORY_SCHEMAS,
  SUGGESTED_LEVELS,
  SUGGESTED_SCHEMAS,
} from './default-objects.ts';

type Configured = KubeObject & { spec?: object };

export interface KeptObjects {
  readonly levels: ReadonlyMap<string, PriorityLevelConfiguration>;
  readonly schemas: ReadonlyMap<string, FlowSchema>;
}

/** What has to be written so that the objects are as they should be. */
export interface KeepPlan {
  readonly createLevels: readonly PriorityLevelConfiguration[];
  readonly updateLevels: readonly PriorityLevelConfiguration[];
  readonly createSchemas: readonly FlowSchema[];
  readonly updateSchemas: readonly FlowSchema[];
  /** Schemas whose `Dangling` condition says something else than what is. */
  readonly statuses: readonly FlowSchema[];
}

/**
 * Mandatory objects are created and brought back whatever happened to them. Suggested ones are created, and brought
 * back unless their annotation says to be left alone, or misses and somebody changed them.
 */
export function planKeep({ levels, schemas }: KeptObjects, now: () => string): KeepPlan {
  const [createLevels, updateLevels] = compare(levels, MANDATORY_LEVELS, SUGGESTED_LEVELS);
  const [createSchemas, updateSchemas] = compare(schemas, MANDATORY_SCHEMAS, SUGGESTED_SCHEMAS);
  const known = new Set([...levels.keys(), ...createLevels.map(({ metadata }) => metadata.name)]);
  const statuses = [...schemas.values()].flatMap((schema) => withDangling(schema, known, now));
  return { createLevels, updateLevels, createSchemas, updateSchemas, statuses };
}

function compare<T extends Configured>(
  found: ReadonlyMap<string, T>,
  mandatory: readonly T[],
  suggested: readonly T[],
): [create: T[], update: T[]] {
  const create: T[] = [];
  const update: T[] = [];
  for (const wanted of [...mandatory, ...suggested]) {
    const now = found.get(wanted.metadata.name ?? '');
    if (!now) create.push(wanted);
    else if (isKept(now, mandatory.includes(wanted)) && !sameSpec(now, wanted))
      update.push({ ...copyJson(now), spec: copyJson(wanted.spec) });
  }
  return [create, update];
}

function isKept({ metadata }: Configured, isMandatory: boolean): boolean {
  const annotation = metadata.annotations?.[AUTOUPDATE];
  return isMandatory || annotation === 'true' || (annotation === undefined && metadata.generation === 1);
}

/** Of the exempt level, shares and lending are the cluster's to choose. */
function sameSpec(now: Configured, wanted: Configured): boolean {
  const type = (one: Configured): unknown => (one as PriorityLevelConfiguration).spec?.type;
  if (type(wanted) === 'Exempt') return type(now) === 'Exempt';
  return !differsFromFixed(now.spec, wanted.spec);
}

/** The schema with the condition it should have; nothing where it has it. */
function withDangling(
  schema: FlowSchema,
  known: ReadonlySet<string | undefined>,
  now: () => string,
): FlowSchema[] {
  const { name = '' } = schema.spec?.priorityLevelConfiguration ?? { name: '' };
  const isMissing = !known.has(name);
  const status = isMissing ? 'True' : 'False';
  const conditions = schema.status?.conditions ?? [];
  if (conditions.some((one) => one.type === 'Dangling' && one.status === status)) return [];
  const what = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(name)}`;
  const condition: FlowSchemaCondition = {
    type: 'Dangling',
    status,
    reason: isMissing ? 'NotFound' : 'Found',
    message: `${what} ${isMissing ? 'but there is no such object' : 'and it exists'}`,
    lastTransitionTime: now(),
  };
  return [
    {
      ...copyJson(schema),
      status: { conditions: [...conditions.filter(({ type }) => type !== 'Dangling'), condition] },
    },
  ];
}
