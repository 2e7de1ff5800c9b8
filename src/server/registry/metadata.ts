import { randomInt } from 'node:crypto';
import { badRequest } from '../../api/status.ts';
import type { ObjectMeta } from '../../api/types.gen.ts';
import { type Clock, rfc3339 } from '../../lib/clock.ts';
import { flatRandomUUID } from '../../lib/uuid.ts';

/** Upstream's alphabet for generated names: no vowels, nothing that is easily confused. */
const SUFFIX_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;
/** Upstream cuts the prefix so that prefix and suffix fit a label. */
const MAX_GENERATED_LENGTH = 63;

/** Drops what only the server may set, before a create. */
export function wipeSystemFields(metadata: ObjectMeta): void {
  // Looked for first: removing what is not there costs more than that.
  if (metadata.resourceVersion !== undefined) delete metadata.resourceVersion;
  if (metadata.uid !== undefined) delete metadata.uid;
  if (metadata.creationTimestamp !== undefined) delete metadata.creationTimestamp;
  if (metadata.deletionTimestamp !== undefined) delete metadata.deletionTimestamp;
  if (metadata.deletionGracePeriodSeconds !== undefined) delete metadata.deletionGracePeriodSeconds;
  if (metadata.selfLink !== undefined) delete metadata.selfLink;
  if (metadata.generation !== undefined) delete metadata.generation;
}

/** Gives a new object its identity. */
export function fillSystemFields(metadata: ObjectMeta, clock: Clock): void {
  metadata.uid = flatRandomUUID();
  metadata.creationTimestamp = rfc3339(clock.now());
  if (!metadata.name && metadata.generateName) metadata.name = generateName(metadata.generateName);
}

function generateName(prefix: string): string {
  let suffix = '';
  for (let at = 0; at < SUFFIX_LENGTH; at++) suffix += SUFFIX_LETTERS[randomInt(SUFFIX_LETTERS.length)];
  return `${prefix.slice(0, MAX_GENERATED_LENGTH - SUFFIX_LENGTH)}${suffix}`;
}

/** An object without a namespace takes the request's; another one than the request's is refused. */
export function matchNamespace(metadata: ObjectMeta, namespaced: boolean, requested: string): void {
  if (!namespaced) delete metadata.namespace;
  else if (!metadata.namespace) metadata.namespace = requested;
  else if (metadata.namespace !== requested) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
}

/** PUT and PATCH bodies must name the object that the URL names. */
export function matchName(metadata: ObjectMeta, name: string): void {
  if (!metadata.name) {
    throw badRequest(
      `the name of the object (${name} based on URL) was undeterminable: name must be provided`,
    );
  }
  if (metadata.name !== name) {
    throw badRequest(
      `the name of the object (${metadata.name}) does not match the name on the URL (${name})`,
    );
  }
}

/** An update never changes what identifies an object or how it is being deleted. */
export function carrySystemFields(metadata: ObjectMeta, old: ObjectMeta): void {
  if (!metadata.uid && old.uid) metadata.uid = old.uid;
  if (old.creationTimestamp) metadata.creationTimestamp = old.creationTimestamp;
  if (old.deletionTimestamp) metadata.deletionTimestamp = old.deletionTimestamp;
  if (old.deletionGracePeriodSeconds !== undefined && metadata.deletionGracePeriodSeconds === undefined)
    metadata.deletionGracePeriodSeconds = old.deletionGracePeriodSeconds;
  if (old.generation === undefined) delete metadata.generation;
  else metadata.generation = old.generation;
  delete metadata.selfLink;
}
