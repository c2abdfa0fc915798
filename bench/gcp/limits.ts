import type { Counts } from '../store/world.js'

/** What a rotation may cost, whatever the strategy. */
export const most: Counts = { calls: 18, writes: 8, consumerWrites: 2 }
