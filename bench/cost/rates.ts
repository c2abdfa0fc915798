import { azureCalls, liveOnAzure } from './azure-month.js'
import { gcpCalls, liveOnGoogleCloud } from './gcp-month.js'
import type { CloudCalls, Lived } from './lived.js'
import { type Rates, ratesOf } from './table.js'

interface MeasuredCloud {
  readonly calls: CloudCalls
  readonly live: (every: string, days: number) => Promise<Lived>
  readonly days: number
}
/** Each cloud. `days`: the first rotation is due after about 30; what follows it takes until shortly before the next one, of which Azure tells to the second. */
export const clouds = {
  gcp: { calls: gcpCalls, live: liveOnGoogleCloud, days: 58 },
  azure: { calls: azureCalls, live: liveOnAzure, days: 57 },
} as const satisfies Record<string, MeasuredCloud>
export type Cloud = keyof typeof clouds

/** Lives the same time once without a rotation, and once with one and all that follows it. */
export async function measureRates(cloud: Cloud): Promise<Rates> {
  const { calls, live, days } = clouds[cloud]
  return ratesOf(calls, await live('365d', days), await live('30d', days), days)
}
