import packageJson from '../../package.json' with { type: 'json' };

/** The Kubernetes version whose API is served. */
export const KUBERNETES_VERSION = 'v1.36.3';
export const KEDGE_VERSION: string = packageJson.version;
/** What `/version`, nodes and `kedge --version` report. */
export const VERSION = `${KUBERNETES_VERSION}+kedge.${KEDGE_VERSION}`;
