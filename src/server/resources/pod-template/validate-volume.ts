import { duplicate, forbiddenField, invalidValue, required } from '../../../api/field-errors.ts';
import { configMapKeyProblems, dns1123LabelProblems, dns1123SubdomainProblems } from '../../../api/names.ts';
import { parseQuantity } from '../../../api/quantity.ts';
import type { FieldError } from '../../../api/status.ts';
import type {
  DownwardAPIVolumeFile,
  KeyToPath,
  ProjectedVolumeSource,
  Volume,
  VolumeProjection,
} from '../../../api/types.gen.ts';
import { eachOf, problemsOf } from '../field-checks.ts';
import {
  certificatePaths,
  validatePodCertificate,
  validateTrustProjection,
} from './validate-certificate-projection.ts';
import { validateFieldRef, validateResourceField } from './validate-container.ts';
import { localDescendingPath, noParentSteps } from './validate-mounts.ts';

const FILE_MODE = 'must be a number between 0 and 0777 (octal), both inclusive';
const DOWNWARD_FIELDS = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];

export function validateVolumes(volumes: readonly Volume[] | undefined, path: string): FieldError[] {
  const names = new Set<string>();
  return eachOf(volumes, path, (volume, at) => {
    const errors: FieldError[] = [];
    const { name } = volume;
    if (!name) errors.push(required(`${at}.name`));
    else {
      errors.push(...problemsOf(`${at}.name`, name, dns1123LabelProblems));
      if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
      names.add(name);
    }
    return [...errors, ...validateSource(volume, at)];
  });
}

function fileMode(mode: number | undefined, field: string): FieldError[] {
  return mode !== undefined && (mode < 0 || mode > 0o777) ? [invalidValue(field, mode, FILE_MODE)] : [];
}

const nameNeeded = (name: string | undefined, field: string): FieldError[] => (name ? [] : [required(field)]);

function items(list: readonly KeyToPath[] | undefined, path: string): FieldError[] {
  return eachOf(list, `${path}.items`, ({ key, path: to, mode }, at) => [
    ...(key ? problemsOf(`${at}.key`, key, configMapKeyProblems) : [required(`${at}.key`)]),
    ...(to ? localNonReserved(to, `${at}.path`) : [required(`${at}.path`)]),
    ...fileMode(mode, `${at}.mode`),
  ]);
}

/** `..data` and the like belong to the atomic writer. */
function localNonReserved(path: string, field: string): FieldError[] {
  const errors = localDescendingPath(path, field);
  if (errors.length === 0 && path.startsWith('..'))
    errors.push(invalidValue(field, path, "must not start with '..'"));
  return errors;
}

type SourceName = Exclude<keyof Volume, 'name'>;
type Check = (volume: Volume, path: string) => FieldError[];

/** What each source asks for. Sources that no driver serves here are only checked against the schema. */
const SOURCES: Partial<Record<SourceName, Check>> = {
  emptyDir: ({ emptyDir }, path) => {
    const limit = emptyDir?.sizeLimit;
    return limit !== undefined && parseQuantity(limit).nano < 0n
      ? [forbiddenField(`${path}.sizeLimit`, 'SizeLimit field must be a valid resource quantity')]
      : [];
  },
  hostPath: ({ hostPath }, path) =>
    hostPath?.path ? noParentSteps(hostPath.path, `${path}.path`) : [required(`${path}.path`)],
  configMap: ({ configMap }, path) => [
    ...nameNeeded(configMap?.name, `${path}.name`),
    ...fileMode(configMap?.defaultMode, `${path}.defaultMode`),
    ...items(configMap?.items, path),
  ],
  secret: ({ secret }, path) => [
    ...nameNeeded(secret?.secretName, `${path}.secretName`),
    ...fileMode(secret?.defaultMode, `${path}.defaultMode`),
    ...items(secret?.items, path),
  ],
  downwardAPI: ({ downwardAPI }, path) => [
    ...fileMode(downwardAPI?.defaultMode, `${path}.defaultMode`),
    ...eachOf(downwardAPI?.items, `${path}.items`, downwardFile),
  ],
  projected: ({ projected }, path) => (projected ? validateProjected(projected, path) : []),
  persistentVolumeClaim: ({ persistentVolumeClaim }, path) =>
    nameNeeded(persistentVolumeClaim?.claimName, `${path}.claimName`),
  nfs: ({ nfs }, path) => {
    const errors = nameNeeded(nfs?.server, `${path}.server`);
    if (!nfs?.path) errors.push(required(`${path}.path`));
    else if (!nfs.path.startsWith('/'))
      errors.push(invalidValue(`${path}.path`, nfs.path, 'must be an absolute path'));
    return errors;
  },
  csi: ({ csi }, path) =>
    csi?.driver
      ? problemsOf(`${path}.driver`, csi.driver, dns1123SubdomainProblems)
      : [required(`${path}.driver`)],
  ephemeral: ({ ephemeral }, path) => {
    const template = ephemeral?.volumeClaimTemplate;
    return template === undefined ? [required(`${path}.volumeClaimTemplate`)] : [];
  },
  image: ({ image }, path) => nameNeeded(image?.reference, `${path}.reference`),
  iscsi: ({ iscsi }, path) => [
    ...nameNeeded(iscsi?.targetPortal, `${path}.targetPortal`),
    ...nameNeeded(iscsi?.iqn, `${path}.iqn`),
  ],
  gitRepo: ({ gitRepo }, path) => nameNeeded(gitRepo?.repository, `${path}.repository`),
};

function validateSource(volume: Volume, path: string): FieldError[] {
  const given = (Object.keys(volume) as (keyof Volume)[]).filter(
    (key): key is SourceName => key !== 'name' && volume[key] !== undefined,
  );
  const [first, ...others] = given;
  if (first === undefined) return [required(path, 'must specify a volume type')];
  return [
    ...(SOURCES[first]?.(volume, `${path}.${first}`) ?? []),
    ...others.map((name) => forbiddenField(`${path}.${name}`, 'may not specify more than 1 volume type')),
  ];
}

function downwardFile(file: DownwardAPIVolumeFile, path: string): FieldError[] {
  const errors: FieldError[] = file.path
    ? localNonReserved(file.path, `${path}.path`)
    : [required(`${path}.path`)];
  const { fieldRef, resourceFieldRef } = file;
  if (fieldRef) {
    errors.push(...validateFieldRef(fieldRef, `${path}.fieldRef`, DOWNWARD_FIELDS));
    if (resourceFieldRef) {
      errors.push(
        invalidValue(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'),
      );
    }
  } else if (resourceFieldRef) {
    if (!resourceFieldRef.containerName) errors.push(required(`${path}.resourceFieldRef.containerName`));
    errors.push(...validateResourceField(resourceFieldRef.resource, `${path}.resourceFieldRef`));
  } else {
    errors.push(required(path, 'one of fieldRef and resourceFieldRef is required'));
  }
  return [...errors, ...fileMode(file.mode, `${path}.mode`)];
}

function validateProjected(projected: ProjectedVolumeSource, path: string): FieldError[] {
  const taken = new Set<string>();
  return [
    ...fileMode(projected.defaultMode, `${path}.defaultMode`),
    ...eachOf(projected.sources, `${path}.sources`, (source, at) => validateProjection(source, at, taken)),
  ];
}

function validateProjection(source: VolumeProjection, path: string, taken: Set<string>): FieldError[] {
  const errors: FieldError[] = [];
  const { secret, configMap, downwardAPI, serviceAccountToken, clusterTrustBundle, podCertificate } = source;
  let kinds = 0;
  const only = (name: string, paths: readonly string[], check: () => FieldError[]): void => {
    if (++kinds > 1) {
      errors.push(forbiddenField(`${path}.${name}`, 'may not specify more than 1 volume type'));
      return;
    }
    errors.push(...check());
    for (const one of paths) {
      if (taken.has(one)) errors.push(invalidValue(path, one, 'conflicting duplicate paths'));
      taken.add(one);
    }
  };
  const pathsOf = (list: readonly { path: string }[] | undefined): string[] =>
    (list ?? []).map((one) => one.path);
  if (secret) {
    only('secret', pathsOf(secret.items), () => [
      ...nameNeeded(secret.name, `${path}.secret.name`),
      ...items(secret.items, `${path}.secret`),
    ]);
  }
  if (configMap) {
    only('configMap', pathsOf(configMap.items), () => [
      ...nameNeeded(configMap.name, `${path}.configMap.name`),
      ...items(configMap.items, `${path}.configMap`),
    ]);
  }
  if (downwardAPI) {
    only('downwardAPI', pathsOf(downwardAPI.items), () =>
      eachOf(downwardAPI.items, `${path}.downwardAPI.items`, downwardFile),
    );
  }
  if (serviceAccountToken) {
    const at = `${path}.serviceAccountToken`;
    only('serviceAccountToken', [serviceAccountToken.path], () => {
      const { expirationSeconds = 3600, path: to } = serviceAccountToken;
      const found: FieldError[] = [];
      if (expirationSeconds < 600)
        found.push(
          invalidValue(
            `${at}.expirationSeconds`,
            expirationSeconds,
            'may not specify a duration less than 10 minutes',
          ),
        );
      if (expirationSeconds > 2 ** 32)
        found.push(
          invalidValue(
            `${at}.expirationSeconds`,
            expirationSeconds,
            'may not specify a duration larger than 2^32 seconds',
          ),
        );
      return [...found, ...(to ? localNonReserved(to, `${at}.path`) : [required(`${at}.path`)])];
    });
  }
  if (clusterTrustBundle) {
    const at = `${path}.clusterTrustBundle`;
    only('clusterTrustBundle', [clusterTrustBundle.path], () => [
      ...validateTrustProjection(clusterTrustBundle, at),
      ...(clusterTrustBundle.path ? localNonReserved(clusterTrustBundle.path, `${at}.path`) : []),
    ]);
  }
  if (podCertificate) {
    const at = `${path}.podCertificate`;
    const paths = certificatePaths(podCertificate);
    only('podCertificate', paths, () => [
      ...validatePodCertificate(podCertificate, at),
      ...paths.flatMap((to) => localNonReserved(to, at)),
    ]);
  }
  if (kinds === 0) errors.push(required(path, 'must specify a volume type'));
  return errors;
}
