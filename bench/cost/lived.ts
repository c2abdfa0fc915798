import type { Counts } from './counts.js'

/** What one secret costs with a consumer by webhook, through the functions themselves, with a clock that is moved. */
export interface Lived {
  readonly counts: Counts
  readonly looks: number
  /** How many versions there are at the end that are kept, of the secret and of its staging place together. */
  readonly versions: number
}

/** What a cloud's calls are called. */
export interface CloudCalls {
  /** What one look makes where nothing is due. */
  readonly look: Counts
  /** What is sent once for each piece of work. */
  readonly work: string
  /** The calls of a listing, with how many secrets are on a page, and whether staging places are in it. */
  readonly pages: Readonly<Record<string, { readonly size: number; readonly hasPlaces: boolean }>>
  /** What is said of the versions after a year. */
  readonly versions: string
}
