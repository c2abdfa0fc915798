import type { Counts } from '../store/world.js'

/** What a rotation may cost, whatever the strategy: five of the calls are those of the lease. */
export const most: Counts = { calls: 23, writes: 7, consumerWrites: 1 }
