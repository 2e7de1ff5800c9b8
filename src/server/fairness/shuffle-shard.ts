import { hash } from 'node:crypto';

/**
 * The queues that a flow may use: `handSize` different ones of `queues`, always the same for the same flow. Two flows
 * seldom have the same hand, so that a flow that fills its queues leaves others some of theirs.
 */
export function handOf(flow: string, queues: number, handSize: number): number[] {
  const digest = Buffer.from(hash('sha256', flow, 'hex'), 'hex');
  let entropy = digest.readBigUInt64LE(0);
  const hand: number[] = [];
  for (let dealt = 0; dealt < Math.min(handSize, queues); dealt++) {
    const left = BigInt(queues - dealt);
    let card = Number(entropy % left);
    entropy /= left;
    // Cards that were dealt before are skipped, in ascending order.
    for (const before of [...hand].sort((a, b) => a - b)) if (card >= before) card++;
    hand.push(card);
  }
  return hand;
}
