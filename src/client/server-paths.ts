/** Takes a snapshot of the server's datastore (POST), for administrators on the server's own board. */
export const SNAPSHOT_PATH = '/v1-kedge/snapshots';
