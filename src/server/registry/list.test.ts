import { expect, it } from 'vitest';
import { event } from '../resources/core/event.ts';
import type { ResourceDefinition } from './definition.ts';
import { parseSelectors } from './list.ts';

it('takes field selectors by the names of the version that the client speaks', () => {
  const definition = event as unknown as ResourceDefinition;
  const fieldLabels = event.otherVersions?.[0]?.fieldLabels;
  const fieldSelector = 'regarding.name=a,metadata.name=b';
  const { fields } = parseSelectors(definition, { fieldSelector, fieldLabels });
  expect(fields.toString()).toBe('metadata.name=b,involvedObject.name=a');
  const refused = { message: expect.stringMatching(/^field label not supported: /) };
  const older = { fieldSelector: 'involvedObject.name=a', fieldLabels };
  expect(() => parseSelectors(definition, older)).toThrow(expect.objectContaining(refused));
  expect(() => parseSelectors(definition, { fieldSelector })).toThrow(expect.objectContaining(refused));
});
