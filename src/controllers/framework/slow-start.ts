/**
 * Calls `attempt` `count` times in batches of 1, 2, 4 …, so that a create that always fails (quota, admission) costs
 * one request and not hundreds. Returns how many succeeded and the first error; after a batch with an error nothing
 * more is tried.
 */
export async function slowStart(
  count: number,
  attempt: (index: number) => Promise<void>,
): Promise<{ succeeded: number; error: unknown }> {
  let succeeded = 0;
  for (let done = 0, batch = 1; done < count; done += batch, batch *= 2) {
    const size = Math.min(batch, count - done);
    const results = await Promise.allSettled(Array.from({ length: size }, (_, i) => attempt(done + i)));
    succeeded += results.filter(({ status }) => status === 'fulfilled').length;
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) return { succeeded, error: failed.reason };
  }
  return { succeeded, error: undefined };
}
