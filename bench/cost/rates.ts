import { azureCalls, liveOnAzure } from './azure-month.js'
import { gcpCalls, liveOnGoogleCloud } from './gcp-month.js'
import type { CloudCalls, Lived } from './lived.js'
import { type Rates, ratesOf } from './table.js'

/** The first rotation is due after about 30 days; what follows it takes until shortly before the next one. */
const days = 57

/** Each cloud, with the page that has its tables. */
export const clouds = {
  gcp: { calls: gcpCalls, live: liveOnGoogleCloud },
  azure: { calls: azureCalls, live: liveOnAzure },
} as const satisfies Record<string, { readonly calls: CloudCalls; readonly live: (every: string, days: number) => Promise<Lived> }>
export type Cloud = keyof typeof clouds

/** Lives the same time once without a rotation, and once with one and all that follows it. */
export async function measureRates(cloud: Cloud): Promise<Rates> {
  const { calls, live } = clouds[cloud]
  return ratesOf(calls, await live('365d', days), await live('30d', days), days)
}
