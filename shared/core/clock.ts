/** How far two clocks may be apart without anybody minding. What is further ahead is from the future. Milliseconds. */
export const skewMsMax = 5 * 60_000
/** No invocation may hold a secret for longer. Milliseconds. */
export const leaseMsMax = 15 * 60_000

/** Whether a clock that was ahead wrote this time. Both in epoch milliseconds. */
export const isFromFuture = (at: number, now: number): boolean => at > now + skewMsMax

/** Whether the lease still holds. One that no clock near ours can have written is over. Both in epoch milliseconds. */
export const isLeaseLive = (leaseUntil: number, now: number): boolean => leaseUntil > now && leaseUntil <= now + leaseMsMax + skewMsMax

/** By how many milliseconds a time is from the future; undefined where it is not. */
export const aheadOf = (at: number, now: number): number | undefined => (isFromFuture(at, now) ? at - now : undefined)
