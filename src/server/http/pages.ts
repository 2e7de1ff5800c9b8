import { KEDGE_VERSION, VERSION } from '../../lib/version.ts';
import type { DiscoveryPages } from './discovery-pages.ts';
import { sendBytes, sendJson } from './exchange.ts';
import { type HealthCheck, healthCheckPage, healthPage } from './health.ts';
import type { Metrics } from './metrics.ts';
import { type Page, PathPages } from './path-pages.ts';
import { methodNotAllowed } from './resource-handler.ts';

export interface PagesOptions {
  readonly discovery: DiscoveryPages;
  readonly metrics: Metrics;
  readonly live: () => readonly HealthCheck[];
  readonly ready: () => readonly HealthCheck[];
  /** More of them, such as OpenAPI and the service account issuer's. */
  readonly more: ReadonlyMap<string, Page>;
}

/** Everything that is served and is no resource. */
export function createPages(options: PagesOptions): PathPages {
  const { discovery, metrics, live, ready, more } = options;
  const pages: PathPages = new PathPages()
    .add('/', async (exchange) =>
      sendJson(exchange, 200, { paths: pages.paths.filter((path) => path !== '/') }),
    )
    .add(
      '/version',
      onlyRead((exchange) =>
        // Indented for everybody.
        sendBytes(exchange, 200, 'application/json', Buffer.from(JSON.stringify(versionDocument(), null, 2))),
      ),
    )
    .add('/healthz', healthPage('healthz', live))
    .add('/livez', healthPage('livez', live))
    .add('/readyz', healthPage('readyz', ready))
    .addFolder('/livez/', healthCheckPage('/livez/', live))
    .addFolder('/readyz/', healthCheckPage('/readyz/', ready))
    .addFolder('/healthz/', healthCheckPage('/healthz/', live))
    .add('/metrics', (exchange) =>
      sendBytes(exchange, 200, 'text/plain; version=0.0.4; charset=utf-8', Buffer.from(metrics.render())),
    )
    .add('/api', onlyRead(discovery.core))
    .add('/apis', onlyRead(discovery.named))
    .addFolder('/api/', discovery.folder)
    .addFolder('/apis/', discovery.folder);
  for (const [path, page] of more) {
    if (path.endsWith('/')) pages.addFolder(path, page);
    else pages.add(path, page);
  }
  return pages;
}

/** As upstream's web services are; what is none of them, such as health, answers every method. */
function onlyRead(page: Page): Page {
  return async (exchange) => {
    const { method } = exchange.request;
    if (method !== 'GET' && method !== 'HEAD') throw methodNotAllowed();
    await page(exchange);
  };
}

function versionDocument(): object {
  const [major, minor] = VERSION.slice(1).split('.');
  return {
    major,
    minor,
    gitVersion: VERSION,
    gitCommit: KEDGE_VERSION,
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: 'none',
    compiler: `node ${process.version}`,
    platform: `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  };
}
