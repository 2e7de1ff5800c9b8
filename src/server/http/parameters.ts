import type { FieldValidation } from '../../api/decode/decode-body.ts';
import { forbiddenField, invalidValue, notSupported, required, tooLong } from '../../api/field-errors.ts';
import { FieldSelector } from '../../api/fields.ts';
import { badRequest, type FieldError, invalid } from '../../api/status.ts';
import type { Patch } from '../../client/port.ts';
import type { DeleteOptions, PropagationPolicy } from '../registry/delete.ts';
import { dryRunErrors, readDryRun } from '../registry/dry-run.ts';
import type { ListQuery } from '../registry/list.ts';
import type { Endpoint } from '../registry/registry.ts';
import type { WriteRequest } from '../registry/served-resource.ts';
import type { WatchQuery } from '../registry/watch.ts';
import type { Exchange } from './exchange.ts';
import { isTrue, type ResourceRequest } from './request-info.ts';

const MAX_MANAGER_LENGTH = 128;
const VALIDATIONS = ['', 'Ignore', 'Strict', 'Warn'];

/** A whole number from the query, `undefined` where it is absent. Throws 400 for anything else. */
export function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^-?\d{1,15}$/.test(text)) {
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return Number(text);
}

export function listQueryOf(
  query: URLSearchParams,
  info: ResourceRequest,
  { conversion }: Pick<Endpoint, 'conversion'>,
): ListQuery {
  const initial = query.get('sendInitialEvents');
  // A list takes no time that would need a limit, but must be asked for in the right words.
  numberOf(query, 'timeoutSeconds');
  return {
    namespace: info.namespace || undefined,
    labelSelector: query.get('labelSelector') ?? undefined,
    fieldSelector: query.get('fieldSelector') ?? undefined,
    fieldLabels: conversion?.fieldLabels,
    limit: numberOf(query, 'limit'),
    continue: query.get('continue') || undefined,
    resourceVersion: query.get('resourceVersion') || undefined,
    resourceVersionMatch: query.get('resourceVersionMatch') || undefined,
    sendInitialEvents: initial === null ? undefined : isTrue(initial),
  };
}

export function watchQueryOf(
  query: URLSearchParams,
  info: ResourceRequest,
  endpoint: Pick<Endpoint, 'conversion'>,
): WatchQuery {
  return {
    ...listQueryOf(query, info, endpoint),
    // Authorized as that one object, so it must not show others, whatever else the client selects by.
    ...(info.name === '' ? {} : { fieldSelector: named(info.name, query.get('fieldSelector') ?? '') }),
    allowWatchBookmarks: isTrue(query.get('allowWatchBookmarks')),
  };
}

/** One object by name, from the deprecated `/watch/…/<name>` form or the selector itself. */
function named(name: string, selector: string): string {
  const only = new FieldSelector([{ field: 'metadata.name', operator: '=', value: name }]).toString();
  return selector === '' ? only : `${only},${selector}`;
}

/** Create, update and patch options from the query. Throws 422 for values upstream refuses. */
export function writeRequestOf(
  exchange: Exchange,
  info: ResourceRequest,
  patch?: Patch['type'],
): WriteRequest {
  const { query, user, warnings, annotations, request, endMs } = exchange;
  // Most writes ask for nothing.
  const hasOptions = query.size > 0;
  const manager = (hasOptions && query.get('fieldManager')) || '';
  const validation = (hasOptions && query.get('fieldValidation')) || '';
  if (hasOptions || patch !== undefined) refuseBad(query, info.verb, patch);
  return {
    user,
    namespace: info.namespace,
    name: info.name,
    dryRun: hasOptions && query.has('dryRun'),
    fieldManager: manager || managerFrom(request.headers['user-agent']),
    fieldValidation: (validation || 'Warn') as FieldValidation,
    resource: info,
    given: givenOptions(manager, validation),
    ...(endMs === undefined ? {} : { endMs }),
    warn: (text) => warnings.push(text),
    annotate: (key, value) => annotations.set(key, value),
  };
}

/** Throws 422 for options that upstream refuses. */
function refuseBad(query: URLSearchParams, verb: string, patch: Patch['type'] | undefined): void {
  const manager = query.get('fieldManager') ?? '';
  const validation = query.get('fieldValidation') ?? '';
  const errors: FieldError[] = [...dryRunErrors(query.getAll('dryRun')), ...managerErrors(manager)];
  if (!VALIDATIONS.includes(validation))
    errors.push(notSupported('fieldValidation', validation, VALIDATIONS));
  if (patch === 'apply' && manager === '')
    errors.unshift(required('fieldManager', 'is required for apply patch'));
  if (patch !== undefined && patch !== 'apply' && query.has('force'))
    errors.push(forbiddenField('force', 'may not be specified for non-apply patch'));
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: optionsKind(verb) }, '', errors);
}

const NOTHING_GIVEN: NonNullable<WriteRequest['given']> = {};

function givenOptions(manager: string, validation: string): NonNullable<WriteRequest['given']> {
  if (manager === '' && validation === '') return NOTHING_GIVEN;
  return {
    ...(manager === '' ? {} : { fieldManager: manager }),
    ...(validation === '' ? {} : { fieldValidation: validation }),
  };
}

function optionsKind(verb: string): string {
  if (verb === 'patch') return 'PatchOptions';
  return verb === 'update' ? 'UpdateOptions' : 'CreateOptions';
}

function managerErrors(manager: string): FieldError[] {
  const errors = manager.length > MAX_MANAGER_LENGTH ? [tooLong('fieldManager', MAX_MANAGER_LENGTH)] : [];
  const bad = [...manager].findIndex((letter) => /[\p{C}\p{Zl}\p{Zp}]/u.test(letter));
  if (bad < 0) return errors;
  const letter = [...manager][bad]!;
  const code = letter.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  return [
    ...errors,
    invalidValue('fieldManager', manager, `invalid character U+${code} (at position ${bad})`),
  ];
}

/** Without a manager the first part of the user agent stands for it, as upstream. */
function managerFrom(userAgent: string | undefined): string {
  const text = userAgent ?? '';
  const slash = text.indexOf('/');
  const name = slash < 0 ? text : text.slice(0, slash);
  const isPlain = /^[\x20-\x7e]*$/.test(name);
  const printable = (isPlain ? name : name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '')).slice(0, MAX_MANAGER_LENGTH);
  return printable === '' ? 'unknown' : printable;
}

/** `DeleteOptions` and whether it is a dry run. */
export type DeleteRequest = DeleteOptions & { readonly dryRun: boolean };

/** Delete options from the query, for clients that send no body. */
export function deleteQueryOf(query: URLSearchParams): DeleteRequest {
  const grace = numberOf(query, 'gracePeriodSeconds');
  const policy = query.get('propagationPolicy');
  const orphan = query.get('orphanDependents');
  return {
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(policy ? { propagationPolicy: policy as PropagationPolicy } : {}),
    ...(orphan === null ? {} : { orphanDependents: isTrue(orphan) }),
    dryRun: readDryRun(query.getAll('dryRun')),
  };
}
