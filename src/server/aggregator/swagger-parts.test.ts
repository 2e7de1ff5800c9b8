import { describe, expect, it } from 'vitest';
import type { Descriptions } from '../../api/openapi/descriptions.ts';
import { openApiV2 } from '../../api/openapi/document.ts';
import { openApiV2Protobuf } from '../../api/openapi/v2-protobuf.ts';
import { swaggerParts } from './swagger-parts.ts';

const NONE = { of: () => ({ about: '', fields: {} }) } as unknown as Descriptions;
const PREFIX = '/apis/a.example.com/v1';

describe("another server's OpenAPI v2", () => {
  it('gives its own paths, with the parameters that it shares', () => {
    const name = { in: 'path', name: 'name', type: 'string', required: true };
    const { paths, schemas } = swaggerParts(
      {
        parameters: { 'name-1': name },
        paths: {
          [PREFIX]: { get: {} },
          [`${PREFIX}/toys/{name}`]: {
            parameters: [{ $ref: '#/parameters/name-1' }, { $ref: '#/parameters/none' }, 'no parameter'],
            get: { parameters: [{ in: 'query', name: 'pretty', type: 'string' }] },
            put: 'no operation',
          },
          [`${PREFIX}beta/toys`]: {},
          '/version/': {},
        },
        definitions: { Toy: { type: 'object' }, Wrong: 5 },
      },
      PREFIX,
    );
    expect(paths.map(([path]) => path)).toEqual([PREFIX, `${PREFIX}/toys/{name}`]);
    expect(paths[1]?.[1]).toEqual({
      parameters: [name],
      get: { parameters: [{ in: 'query', name: 'pretty', type: 'string' }] },
    });
    expect(schemas).toEqual([['Toy', { type: 'object' }]]);
  });

  it('can be written in both forms, whatever is missing or wrong', () => {
    const odd = { type: 7, required: 'all', enum: {}, properties: { a: 1, b: { items: [] } }, items: 'x' };
    const more = swaggerParts(
      {
        paths: {
          [`${PREFIX}/toys`]: {
            get: { operationId: 'list', responses: {} },
            post: { produces: 'json', consumes: 5, responses: { 200: 'fine', 201: { schema: odd } } },
            delete: { responses: [] },
            patch: { parameters: [{ in: 'header', name: 'x' }, { in: 'formData', name: 'y' }, {}] },
          },
        },
        definitions: { Odd: odd, Toy: { $ref: '#/definitions/Odd' } },
      },
      PREFIX,
    );
    const options = { resources: [], descriptions: NONE, serverVersion: 'v1', more };
    expect(JSON.parse([...openApiV2(options)].join(''))).toMatchObject({ definitions: { Odd: odd } });
    expect(Buffer.from(openApiV2Protobuf(options)).includes(`${PREFIX}/toys`)).toBe(true);
  });

  it('is refused when it is none, or nested without end', () => {
    expect(() => swaggerParts([], PREFIX)).toThrow('no object');
    let deep: object = {};
    for (let count = 0; count < 5000; count++) deep = { items: deep };
    expect(() => swaggerParts({ definitions: { Deep: deep } }, PREFIX)).toThrow('nested too deeply');
  });
});
