import { forbiddenField, invalidValue, notFoundValue, required } from '../../../api/field-errors.ts';
import type { FieldError } from '../../../api/status.ts';
import type { SecurityContext, Volume, VolumeDevice, VolumeMount } from '../../../api/types.gen.ts';
import { eachOf } from '../field-checks.ts';

/** The pod's volumes by name. */
export type VolumeNames = ReadonlyMap<string, Volume>;

interface Mounting {
  readonly volumeMounts?: readonly VolumeMount[];
  readonly volumeDevices?: readonly VolumeDevice[];
  readonly securityContext?: SecurityContext;
}

export function validateMounts(container: Mounting, path: string, volumes: VolumeNames): FieldError[] {
  const devicePaths = new Set(container.volumeDevices?.map(({ devicePath }) => devicePath));
  const deviceNames = new Set(container.volumeDevices?.map(({ name }) => name));
  const mountPaths = new Set<string>();
  const errors = eachOf(container.volumeMounts, `${path}.volumeMounts`, (mount, at) => {
    const found: FieldError[] = [];
    if (!mount.name) found.push(required(`${at}.name`));
    else if (!volumes.has(mount.name)) found.push(notFoundValue(`${at}.name`, mount.name));
    if (deviceNames.has(mount.name)) {
      found.push(invalidValue(`${at}.name`, mount.name, 'must not already exist in volumeDevices'));
    }
    if (!mount.mountPath) found.push(required(`${at}.mountPath`));
    else if (mountPaths.has(mount.mountPath)) {
      found.push(invalidValue(`${at}.mountPath`, mount.mountPath, 'must be unique'));
    }
    if (devicePaths.has(mount.mountPath)) {
      found.push(
        invalidValue(`${at}.mountPath`, mount.mountPath, 'must not already exist as a path in volumeDevices'),
      );
    }
    mountPaths.add(mount.mountPath);
    return [
      ...found,
      ...validateSubPath(mount, at),
      ...validatePropagation(mount, at, container.securityContext),
    ];
  });
  return [...errors, ...validateDevices(container, path, volumes, mountPaths)];
}

function validateSubPath({ subPath, subPathExpr }: VolumeMount, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (subPath) errors.push(...localDescendingPath(subPath, `${path}.subPath`));
  if (subPathExpr) {
    if (subPath)
      errors.push(
        invalidValue(`${path}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive'),
      );
    errors.push(...localDescendingPath(subPathExpr, `${path}.subPathExpr`));
  }
  return errors;
}

function validatePropagation(
  { mountPropagation, recursiveReadOnly, readOnly }: VolumeMount,
  path: string,
  security: SecurityContext | undefined,
): FieldError[] {
  const errors: FieldError[] = [];
  if (mountPropagation === 'Bidirectional' && !security?.privileged) {
    errors.push(
      forbiddenField(
        `${path}.mountPropagation`,
        'Bidirectional mount propagation is available only to privileged containers',
      ),
    );
  }
  if (recursiveReadOnly && recursiveReadOnly !== 'Disabled') {
    if (!readOnly)
      errors.push(forbiddenField(`${path}.recursiveReadOnly`, 'may only be specified when readOnly is true'));
    if (mountPropagation && mountPropagation !== 'None') {
      errors.push(
        forbiddenField(
          `${path}.recursiveReadOnly`,
          'may only be specified when mountPropagation is None or not specified',
        ),
      );
    }
  }
  return errors;
}

function validateDevices(
  container: Mounting,
  path: string,
  volumes: VolumeNames,
  mountPaths: ReadonlySet<string>,
): FieldError[] {
  const names = new Set<string>();
  const paths = new Set<string>();
  return eachOf(container.volumeDevices, `${path}.volumeDevices`, ({ name, devicePath }, at) => {
    const errors: FieldError[] = [];
    const volume = volumes.get(name);
    if (!name) errors.push(required(`${at}.name`));
    else if (names.has(name)) errors.push(invalidValue(`${at}.name`, name, 'must be unique'));
    else if (volume === undefined) errors.push(notFoundValue(`${at}.name`, name));
    else if (!volume.persistentVolumeClaim && !volume.ephemeral) {
      errors.push(
        invalidValue(
          `${at}.name`,
          name,
          'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode',
        ),
      );
    }
    if (!devicePath) errors.push(required(`${at}.devicePath`));
    else if (paths.has(devicePath))
      errors.push(invalidValue(`${at}.devicePath`, devicePath, 'must be unique'));
    else if (mountPaths.has(devicePath)) {
      errors.push(
        invalidValue(`${at}.devicePath`, devicePath, 'must not already exist as a path in volumeMounts'),
      );
    }
    names.add(name);
    paths.add(devicePath);
    return errors;
  });
}

/** Relative, and never upwards. */
export function localDescendingPath(value: string, field: string): FieldError[] {
  if (value.startsWith('/')) return [invalidValue(field, value, 'must be a relative path')];
  return noParentSteps(value, field);
}

export function noParentSteps(value: string, field: string): FieldError[] {
  return value.split('/').includes('..') ? [invalidValue(field, value, "must not contain '..'")] : [];
}
