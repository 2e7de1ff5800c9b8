import type { KubeObject } from '../../api/resource.ts';
import { badRequest } from '../../api/status.ts';
import type { Column } from '../registry/definition.ts';
import type { ListedObject, ListPage } from '../registry/list.ts';
import { type Endpoint, toClient } from '../registry/registry.ts';
import { type ListShape, listMetadata, objectList, openList } from './list-response.ts';
import type { Answer } from './negotiate.ts';

/** Shows an object another way than as its stored bytes. */
export type Transform = (object: KubeObject) => object;

interface TransformOptions {
  readonly endpoint: Endpoint;
  readonly answer: Answer;
  readonly query: URLSearchParams;
  /** Ages are told as of when they are shown. */
  readonly now: () => number;
  /** Of what is shown, where it is not the object itself (scale). */
  readonly columns?: readonly Column[];
  /** Only the first Table of a watch carries its column definitions. */
  readonly columnsOnce?: boolean;
}

/** `undefined` where the client wants the object itself. */
export function transformOf(options: TransformOptions): Transform | undefined {
  const { endpoint, answer, query, now } = options;
  if (answer.as === 'Table') {
    const columns = options.columns ?? endpoint.served.definition.columns;
    const include = includeOf(query);
    let withColumns = true;
    return (object) => {
      const { resourceVersion = '' } = object.metadata;
      const table = {
        kind: 'Table',
        apiVersion: metaVersion(answer),
        metadata: { resourceVersion },
        columnDefinitions: withColumns ? columns.map(columnDefinition) : [],
        rows: [rowOf({ endpoint, answer, columns, include, nowMs: now() }, object)],
      };
      if (options.columnsOnce) withColumns = false;
      return table;
    };
  }
  if (answer.as === 'PartialObjectMetadata' || answer.as === 'PartialObjectMetadataList')
    return (object) => partialOf(answer, object);
  return endpoint.conversion ? (object) => toClient(endpoint, object) : undefined;
}

/** What a long list looks at once is not worth keeping: it would push out what others share. */
function lookAt(item: ListedObject): KubeObject {
  return JSON.parse(item.json().toString('utf8')) as KubeObject;
}

/** A list as the client wants to see it. */
export function listShape(
  page: ListPage,
  { endpoint, answer, query, now }: Omit<TransformOptions, 'columnsOnce'>,
): ListShape {
  const metadata = listMetadata(page);
  if (answer.as === 'Table') {
    const { columns } = endpoint.served.definition;
    const columnDefinitions = columns.map(columnDefinition);
    const rows = { endpoint, answer, columns, include: includeOf(query), nowMs: now() };
    return {
      head: openList({ kind: 'Table', apiVersion: metaVersion(answer), metadata, columnDefinitions }, 'rows'),
      encode: (item) => JSON.stringify(rowOf(rows, lookAt(item))),
    };
  }
  if (answer.as === 'PartialObjectMetadata' || answer.as === 'PartialObjectMetadataList') {
    const head = { kind: 'PartialObjectMetadataList', apiVersion: metaVersion(answer), metadata };
    return {
      head: openList(head, 'items'),
      encode: (item) => JSON.stringify(partialOf(answer, lookAt(item))),
    };
  }
  return objectList(endpoint, page);
}

const INCLUDES = ['None', 'Metadata', 'Object'] as const;
type Include = (typeof INCLUDES)[number];

/** Throws 400 for what upstream refuses. */
function includeOf(query: URLSearchParams): Include {
  const wanted = query.get('includeObject') || 'Metadata';
  const include = INCLUDES.find((one) => one === wanted);
  if (include !== undefined) return include;
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(wanted)}: must be 'Metadata', 'Object', 'None', or empty`,
  );
}

const metaVersion = ({ version }: Answer): string => `meta.k8s.io/${version ?? 'v1'}`;

interface Rows {
  readonly endpoint: Endpoint;
  readonly answer: Answer;
  readonly columns: readonly Column[];
  readonly include: Include;
  readonly nowMs: number;
}

function rowOf(rows: Rows, object: KubeObject): object {
  return {
    cells: rows.columns.map((column) => column.cell(object, rows.nowMs)),
    ...(rows.include === 'None' ? {} : { object: includedObject(rows, object) }),
  };
}

function includedObject({ endpoint, answer, include }: Rows, object: KubeObject): object {
  return include === 'Object' ? toClient(endpoint, object) : partialOf(answer, object);
}

function columnDefinition({ name, type, format = '', description, priority = 0 }: Column): object {
  return { name, type, format, description, priority };
}

function partialOf(answer: Answer, { metadata }: KubeObject): object {
  return { kind: 'PartialObjectMetadata', apiVersion: metaVersion(answer), metadata };
}
