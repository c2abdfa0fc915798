import type { FleetAction } from '../../shared/core/ports/queue.js'
import type { SecretRef } from '../../shared/core/ports/words.js'
import type { Life } from './life.js'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** How a secret of the fleet came to where it stands, and what a look has to find. */
export interface Kind {
  readonly name: string
  /** Written by hand: what the code under test says is compared with it. */
  readonly due: readonly FleetAction[]
  /** A look at it ends with an error, which it reports and goes on. */
  readonly fails?: true
  /** The list alone shows that nothing is due: it costs no call of its own. */
  readonly listedOnly?: true
  /** Its life until now; `now` is when the look begins. */
  live(life: Life, ref: SecretRef, now: number): Promise<void>
}

const policy = { 'keyturn-rotator': 'random', 'keyturn-every': '30d', 'keyturn-strategy': 'overlap' }

/** A secret that was rotated at `at` with all that follows, and looked at each day since, last at `checkedAt`. */
async function settled(life: Life, ref: SecretRef, at: number, checkedAt: number): Promise<void> {
  await life.adopt(ref, policy, at - 10 * dayMs)
  await life.does(ref, 'announce', at - 10 * dayMs)
  await life.rotates(ref, at)
  await life.does(ref, 'announce', at + minuteMs)
  await life.does(ref, 'retire', at + 3 * hourMs)
  await life.does(ref, 'check', checkedAt)
}

/** Most of the fleet: nothing is due. */
export const quiet: Kind = {
  name: 'quiet',
  due: [],
  listedOnly: true,
  live: (life, ref, now) => settled(life, ref, now - 8 * dayMs, now - hourMs),
}

/** Each way in which a listing shows that something is due, and what looks like one of them and is none. */
export const others: readonly Kind[] = [
  { name: 'start', due: ['start'], live: (life, ref, now) => settled(life, ref, now - 40 * dayMs, now - hourMs) },
  { name: 'check', due: ['retire', 'check'], live: (life, ref, now) => settled(life, ref, now - 8 * dayMs, now - 2 * dayMs) },
  {
    name: 'start and check',
    due: ['retire', 'start', 'check'],
    live: (life, ref, now) => settled(life, ref, now - 40 * dayMs, now - 3 * dayMs),
  },
  {
    name: 'paused',
    due: [],
    listedOnly: true,
    live: async (life, ref, now) => {
      await settled(life, ref, now - 40 * dayMs, now - hourMs)
      await life.setPolicy(ref, { 'keyturn-mode': 'paused' })
    },
  },
  { name: 'adopted and never rotated', due: ['start', 'check'], live: (life, ref, now) => life.adopt(ref, policy, now - 3 * hourMs) },
  {
    name: 'published and not announced',
    due: ['announce'],
    live: async (life, ref, now) => {
      await settled(life, ref, now - 8 * dayMs, now - hourMs)
      await life.rotates(ref, now - 10 * minuteMs)
    },
  },
  {
    name: 'left behind',
    due: ['retire'],
    live: async (life, ref, now) => {
      await settled(life, ref, now - 8 * dayMs, now - 5 * hourMs)
      await life.setPolicy(ref, { 'keyturn-consumers': 'people' })
      await life.rotates(ref, now - 4 * hourMs)
      await life.does(ref, 'announce', now - 4 * hourMs + minuteMs)
    },
  },
  {
    name: 'open, its lease is over',
    due: ['resume'],
    live: async (life, ref, now) => {
      await settled(life, ref, now - 8 * dayMs, now - hourMs)
      await life.dies(ref, now - 40 * minuteMs)
    },
  },
  {
    name: 'open, another process is at work',
    due: [],
    live: async (life, ref, now) => {
      await settled(life, ref, now - 8 * dayMs, now - hourMs)
      await life.dies(ref, now - 2 * minuteMs)
    },
  },
  {
    name: 'a consumer on its way',
    due: ['announce'],
    live: async (life, ref, now) => {
      await settled(life, ref, now - 8 * dayMs, now - hourMs)
      const state = await life.store.describe(ref)
      const version = state.current?.id
      if (version === undefined) throw new Error(`${ref.shown} has no version.`)
      await life.store.note(state, { seen: { web: { version, phase: 'requested', at: now - hourMs, again: now - minuteMs } } })
    },
  },
  {
    name: 'a journal that was cut off',
    due: [],
    fails: true,
    live: async (life, ref, now) => {
      await settled(life, ref, now - 8 * dayMs, now - hourMs)
      life.cutOff(ref)
    },
  },
]
