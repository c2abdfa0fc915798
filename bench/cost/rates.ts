import { live } from './month.js'
import { type Rates, ratesOf } from './table.js'

/** The first rotation is due after about 30 days; what follows it takes until the next one. */
const days = 58

/** Lives the same time once without a rotation, and once with one and all that follows it. */
export const measureRates = async (): Promise<Rates> => ratesOf(await live('365d', days), await live('30d', days), days)
