import { ageOf } from '../../../api/durations.ts';
import { invalidValue, required } from '../../../api/field-errors.ts';
import type { KubeObject } from '../../../api/resource.ts';
import { events, eventsV1 } from '../../../api/resources.gen.ts';
import type { FieldError } from '../../../api/status.ts';
import type { Event, EventsEvent } from '../../../api/types.gen.ts';
import type { ResourceDefinition } from '../../registry/definition.ts';
import { nameColumn, textColumn, wide } from '../columns.ts';

/** Kinds that live in no namespace have their events in `default`. */
function validateEvent(event: Event): FieldError[] {
  const { involvedObject, metadata } = event;
  const namespace = involvedObject?.namespace ?? '';
  const errors: FieldError[] = [];
  if (
    namespace === ''
      ? !['', 'default', 'kube-system'].includes(metadata.namespace ?? '')
      : namespace !== metadata.namespace
  ) {
    errors.push(invalidValue('involvedObject.namespace', namespace, 'does not match event.namespace'));
  }
  if (event.eventTime === undefined) return errors;
  // Events of the new API say who reports what, always.
  if (!event.reportingComponent) errors.push(required('reportingController'));
  if (!event.reportingInstance) errors.push(required('reportingInstance'));
  if (!event.action) errors.push(required('action'));
  if (!event.reason) errors.push(required('reason'));
  return errors;
}

/** Every field has a counterpart; only names differ (events.k8s.io/v1 conversion). */
function toCore(object: KubeObject): Event {
  const event = object as EventsEvent;
  const {
    regarding,
    note,
    reportingController,
    deprecatedCount,
    deprecatedFirstTimestamp,
    deprecatedLastTimestamp,
    deprecatedSource,
    ...rest
  } = event;
  return {
    ...rest,
    apiVersion: 'v1',
    involvedObject: regarding ?? {},
    ...(note !== undefined && { message: note }),
    ...(reportingController !== undefined && { reportingComponent: reportingController }),
    ...(deprecatedCount !== undefined && { count: deprecatedCount }),
    ...(deprecatedFirstTimestamp !== undefined && { firstTimestamp: deprecatedFirstTimestamp }),
    ...(deprecatedLastTimestamp !== undefined && { lastTimestamp: deprecatedLastTimestamp }),
    ...(deprecatedSource !== undefined && { source: deprecatedSource }),
  } as Event;
}

function fromCore(event: Event): KubeObject {
  const {
    involvedObject,
    message,
    reportingComponent,
    count,
    firstTimestamp,
    lastTimestamp,
    source,
    ...rest
  } = event;
  const converted = {
    ...rest,
    apiVersion: 'events.k8s.io/v1',
    regarding: involvedObject,
    ...(message !== undefined && { note: message }),
    ...(reportingComponent !== undefined && { reportingController: reportingComponent }),
    ...(count !== undefined && { deprecatedCount: count }),
    ...(firstTimestamp !== undefined && { deprecatedFirstTimestamp: firstTimestamp }),
    ...(lastTimestamp !== undefined && { deprecatedLastTimestamp: lastTimestamp }),
    ...(source !== undefined && { deprecatedSource: source }),
  };
  return converted;
}

function firstSeen({ firstTimestamp, eventTime }: Event): string | undefined {
  return firstTimestamp ?? eventTime;
}

function lastSeen({ series, lastTimestamp, ...event }: Event): string | undefined {
  return series?.lastObservedTime ?? lastTimestamp ?? firstSeen(event as Event);
}

function objectText({ involvedObject: { kind, name } = {} }: Event): string {
  const shown = (kind ?? '').toLowerCase();
  return name ? `${shown}/${name}` : shown;
}

function sourceText({ source, reportingComponent, reportingInstance }: Event): string {
  const component = source?.component || reportingComponent || '';
  const host = source?.host || reportingInstance || '';
  return host ? `${component}, ${host}` : component;
}

export const event: ResourceDefinition<Event> = {
  resource: events,
  singular: 'event',
  shortNames: ['ev'],
  durability: 'volatile',
  otherVersions: [
    {
      resource: eventsV1,
      toStorage: toCore,
      fromStorage: fromCore,
      fieldLabels: {
        'regarding.kind': 'involvedObject.kind',
        'regarding.namespace': 'involvedObject.namespace',
        'regarding.name': 'involvedObject.name',
        'regarding.uid': 'involvedObject.uid',
        'regarding.apiVersion': 'involvedObject.apiVersion',
        'regarding.resourceVersion': 'involvedObject.resourceVersion',
        'regarding.fieldPath': 'involvedObject.fieldPath',
        reason: 'reason',
        reportingController: 'reportingComponent',
        type: 'type',
      },
    },
  ],
  columns: [
    textColumn('Last Seen', 'Time since it was last observed.', (one: Event, nowMs) =>
      ageOf(lastSeen(one), nowMs),
    ),
    textColumn('Type', 'Normal or Warning.', ({ type }: Event) => type),
    textColumn('Reason', 'Short word for what happened.', ({ reason }: Event) => reason),
    textColumn('Object', 'What it happened to.', objectText),
    wide(
      textColumn(
        'Subobject',
        'Part of the object.',
        ({ involvedObject }: Event) => involvedObject?.fieldPath,
      ),
    ),
    wide(textColumn('Source', 'Who reports it.', sourceText)),
    textColumn('Message', 'What happened.', ({ message }: Event) => message?.trim()),
    wide(
      textColumn('First Seen', 'Time since it was first observed.', (one: Event, nowMs) =>
        ageOf(firstSeen(one), nowMs),
      ),
    ),
    wide(
      textColumn('Count', 'How often.', ({ series, count }: Event) => String(series?.count ?? count ?? 1)),
    ),
    wide(nameColumn),
  ],
  selectableFields: {
    'involvedObject.kind': ({ involvedObject }) => involvedObject?.kind ?? '',
    'involvedObject.namespace': ({ involvedObject }) => involvedObject?.namespace ?? '',
    'involvedObject.name': ({ involvedObject }) => involvedObject?.name ?? '',
    'involvedObject.uid': ({ involvedObject }) => involvedObject?.uid ?? '',
    'involvedObject.apiVersion': ({ involvedObject }) => involvedObject?.apiVersion ?? '',
    'involvedObject.resourceVersion': ({ involvedObject }) => involvedObject?.resourceVersion ?? '',
    'involvedObject.fieldPath': ({ involvedObject }) => involvedObject?.fieldPath ?? '',
    reason: ({ reason }) => reason ?? '',
    reportingComponent: ({ reportingComponent }) => reportingComponent ?? '',
    source: ({ source, reportingComponent }) => source?.component || reportingComponent || '',
    type: ({ type }) => type ?? '',
  },
  anyFinalizer: true,
  strategy: {
    hasGeneration: false,
    dependents: 'none',
    allowCreateOnUpdate: true,
    validate: validateEvent,
  },
};
