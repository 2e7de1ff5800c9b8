import type { KubeObject } from '../../api/resource.ts';
import type { Column } from '../registry/definition.ts';
import type { ListPage } from '../registry/list.ts';
import { type Endpoint, toClient } from '../registry/registry.ts';
import { type Exchange, sendJson } from './exchange.ts';
import { listMetadata } from './list-response.ts';
import type { Answer } from './negotiate.ts';

/** Shows an object another way than as its stored bytes. */
export type Transform = (object: KubeObject) => object;

interface TransformOptions {
  readonly endpoint: Endpoint;
  readonly answer: Answer;
  readonly query: URLSearchParams;
  readonly nowMs: number;
  /** Only the first Table of a watch carries its column definitions. */
  readonly columnsOnce?: boolean;
}

/** `undefined` where the client wants the object itself. */
export function transformOf(options: TransformOptions): Transform | undefined {
  const { endpoint, answer, query, nowMs } = options;
  if (answer.as === 'Table') {
    let withColumns = true;
    return (object) => {
      const { resourceVersion = '' } = object.metadata;
      const metadata = { resourceVersion };
      const table = tableOf({
        endpoint,
        metadata,
        objects: [object],
        include: includeOf(query),
        nowMs,
        withColumns,
      });
      if (options.columnsOnce) withColumns = false;
      return table;
    };
  }
  if (answer.as === 'PartialObjectMetadata' || answer.as === 'PartialObjectMetadataList') return partialOf;
  return endpoint.conversion ? (object) => toClient(endpoint, object) : undefined;
}

export async function sendTable(
  exchange: Exchange,
  answer: Answer,
  list: { endpoint: Endpoint; page: ListPage; nowMs: number },
): Promise<void> {
  const { endpoint, page, nowMs } = list;
  const table = tableOf({
    endpoint,
    metadata: listMetadata(page),
    objects: page.items.map((item) => item.object()),
    include: includeOf(exchange.query),
    nowMs,
    withColumns: true,
  });
  return sendJson(exchange, 200, table, answer);
}

export async function sendMetadataList(exchange: Exchange, answer: Answer, page: ListPage): Promise<void> {
  return sendJson(
    exchange,
    200,
    {
      kind: 'PartialObjectMetadataList',
      apiVersion: 'meta.k8s.io/v1',
      metadata: listMetadata(page),
      items: page.items.map((item) => partialOf(item.object())),
    },
    answer,
  );
}

type Include = 'None' | 'Metadata' | 'Object';

function includeOf(query: URLSearchParams): Include {
  const wanted = query.get('includeObject');
  return wanted === 'None' || wanted === 'Object' ? wanted : 'Metadata';
}

function tableOf(table: {
  endpoint: Endpoint;
  metadata: object;
  objects: readonly KubeObject[];
  include: Include;
  nowMs: number;
  withColumns: boolean;
}): object {
  const { columns } = table.endpoint.served.definition;
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: table.metadata,
    columnDefinitions: table.withColumns ? columns.map(columnDefinition) : [],
    rows: table.objects.map((object) => ({
      cells: columns.map((column) => column.cell(object, table.nowMs)),
      ...(table.include === 'None' ? {} : { object: includedObject(table, object) }),
    })),
  };
}

function includedObject(
  { endpoint, include }: { endpoint: Endpoint; include: Include },
  object: KubeObject,
): object {
  return include === 'Object' ? toClient(endpoint, object) : partialOf(object);
}

function columnDefinition({ name, type, format = '', description, priority = 0 }: Column): object {
  return { name, type, format, description, priority };
}

function partialOf(object: KubeObject): object {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
}
