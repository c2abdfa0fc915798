import type { Counts } from '../store/world.js'

/** What a rotation may cost, whatever the strategy: three of the calls are those of the lease. */
export const most: Counts = { calls: 21, writes: 7, consumerWrites: 1 }
