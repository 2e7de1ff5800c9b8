/** What a server shows to boards that join, besides the API. */

/** The authority of the server's certificate, as PEM, to anybody: a board checks it against its token. */
export const CA_CERTS_PATH = '/cacerts';
/** What all boards of a cluster must agree on, as JSON, to nodes. */
export const SETTINGS_PATH = '/v1-kedge/config';
