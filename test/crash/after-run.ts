import type { Disturbance } from '../../shared/stores/memory/others.js'
import type { MemoryStore } from '../../shared/stores/memory.js'
import type { Habit } from '../harness/consumers.js'
import type { Fault, FaultMode } from '../harness/faults.js'
import { laterMs } from '../harness/world.js'
import { type AfterBroken, checkStory, nothingBrokenAfter, Story } from './after.js'
import { type Plot, platformGoesOn, plots, recoverNow, sweepNow } from './after-stories.js'
import { eachPoint, type Setting, seedOf } from './matrix.js'
import { picked, stopAtFirst } from './sample.js'

export const afterTroubles = [
  'before',
  'after',
  'lost',
  'unsent',
  'a sweep at once',
  'a later sweep',
  'wiped',
  'wiped and crashed',
  'stripped',
  'a person writes',
  // Of stores whose writes have no condition:
  'a person writes, crashed',
  'an add comes twice',
  'an older add comes late',
  'crashed, its add comes next',
  'crashed, its add comes later',
  'a value is kept twice',
  'a value is kept twice, crashed',
  'lists lag',
  'the place goes',
  'the place goes, crashed',
  // Of those that keep the journal apart from what is staged, under a lease:
  'both places go',
  'both places go, crashed',
  'the lease is broken',
  'a write overlaps',
] as const
const apart = afterTroubles.slice(afterTroubles.indexOf('both places go'))
const anywhere = afterTroubles.slice(0, afterTroubles.indexOf('a person writes, crashed'))
export type AfterTrouble = (typeof afterTroubles)[number]

/** Who follows: nobody named; one at once and one late, both required; one that skips, one that is away for a week. */
export const companies: Readonly<Record<string, readonly (readonly [Habit, boolean])[]>> = {
  nobody: [],
  'prompt and late': [
    ['prompt', true],
    ['late', true],
  ],
  'skips and away': [
    ['skips', true],
    ['away', true],
    ['prompt', false],
  ],
}

export interface AfterTally {
  points: number
  readonly broken: AfterBroken
  readonly traces: string[]
}
export const emptyAfterTally = (): AfterTally => ({ points: 0, broken: nothingBrokenAfter(), traces: [] })

export interface AfterPlan {
  readonly setting: Setting
  readonly plot: Plot
  readonly company: string
  readonly at: number
  readonly trouble: AfterTrouble
  /** A second crash, so many effects later. */
  readonly again?: { readonly later: number; readonly mode: 'before' | 'after' }
  /** How far the clocks of the processes are apart. */
  readonly aheadMs?: number
}

function faultOf(story: Story, { at, trouble, setting }: Omit<AfterPlan, 'plot' | 'company'>): Fault {
  const { world } = story
  const wipe = async (): Promise<void> => {
    story.journalLost = true
    await setting.wipe?.(world)
  }
  const other = async (later: number): Promise<void> => {
    world.env.time += later
    const process = world.newProcess()
    await sweepNow(story, process)
  }
  if (trouble === 'a sweep at once') return { at, mode: 'act', act: () => other(0) }
  if (trouble === 'a later sweep') return { at, mode: 'act', act: () => other(laterMs) }
  if (trouble === 'wiped') return { at, mode: 'act', act: wipe }
  if (trouble === 'wiped and crashed') return { at, mode: 'after', act: wipe }
  if (trouble === 'stripped') return { at, mode: 'act', act: async () => (world.store as MemoryStore).stripPending(world.ref) }
  if (trouble === 'a person writes') return { at, mode: 'act', act: () => story.byHand() }
  return unfencedFault(story, setting, at, trouble) ?? { at, mode: trouble as FaultMode }
}

/** What only happens where writes have no condition. */
function unfencedFault(story: Story, setting: Setting, at: number, trouble: AfterTrouble): Fault | undefined {
  const disturb = (event: Disturbance) => async (): Promise<void> => {
    if (event === 'all lost' || (event === 'place lost' && !setting.apart)) story.journalLost = true
    await setting.disturb?.(story.world, event)
  }
  const comes = (after: number) => async (): Promise<void> => {
    story.later.push({ after, act: () => story.addLate('late add') })
  }
  const faults: Partial<Record<AfterTrouble, Omit<Fault, 'at'>>> = {
    'a person writes, crashed': { mode: 'after', act: () => story.byHand() },
    'an add comes twice': { mode: 'act', act: () => story.addLate('late add') },
    'an older add comes late': { mode: 'act', act: () => story.addLate('older add') },
    'crashed, its add comes next': { mode: 'before', act: comes(0) },
    'crashed, its add comes later': { mode: 'before', act: comes(1) },
    'a value is kept twice': { mode: 'act', act: disturb('staged twice') },
    'a value is kept twice, crashed': { mode: 'after', act: disturb('staged twice') },
    'lists lag': { mode: 'act', act: disturb('lag') },
    'the place goes': { mode: 'act', act: disturb('place lost') },
    'the place goes, crashed': { mode: 'after', act: disturb('place lost') },
    'both places go': { mode: 'act', act: disturb('all lost') },
    'both places go, crashed': { mode: 'after', act: disturb('all lost') },
    'the lease is broken': { mode: 'act', act: disturb('lease broken') },
    'a write overlaps': { mode: 'act', act: disturb('overlap') },
  }
  const fault = faults[trouble]
  return fault && { at, ...fault }
}

const passesMax = 14
const weekMs = 7 * 86_400_000

/** One story with one trouble, then sweeps until consumers have followed, and what must hold then. */
export async function runAfter(plan: AfterPlan): Promise<AfterBroken> {
  const { setting, plot, company } = plan
  const story = await Story.open(setting, companies[company] ?? [], `after-${seedOf(setting)}`)
  story.world.aheadMs = plan.aheadMs ?? 0
  const first = faultOf(story, plan)
  const second = plan.again ? [{ at: plan.at + plan.again.later, mode: plan.again.mode }] : []
  await plot.run(story, [first, ...second])
  if (setting.serviceDriven) await story.perform(platformGoesOn) // the service calls again with the same token until it is done
  await sweepUntilQuiet(story)
  if ((plot.mayNeedPerson || (await needsPerson(story, plan.trouble))) && (await isStuck(story))) await personActs(story, plan)
  await checkStory(story)
  await setting.close?.()
  return story.broken
}

const goes = (trouble: AfterTrouble): boolean => trouble.startsWith('the place goes') || trouble.startsWith('both places go')

/** What the runbook says. Where nobody has the value that was set, a person makes the target accept the stored one. */
async function personActs(story: Story, { trouble }: AfterPlan): Promise<void> {
  const isGone = goes(trouble)
  await story.perform(recoverNow, { overtakes: await isContested(story) })
  if (isGone && story.world.rotator === 'a' && (await isStuck(story))) {
    await story.setAtTarget()
    await story.perform(recoverNow)
  }
  if (isGone) await sweepUntilQuiet(story)
  for (let pass = 0; pass < 3; pass++) await story.perform(sweepNow)
}

/** Until everybody who comes back after a week has come back, and two sweeps in a row had nothing to do. */
async function sweepUntilQuiet(story: Story): Promise<void> {
  for (let pass = 0, quiet = 0; pass < passesMax && !(pass > 6 && quiet >= 2); pass++) {
    const before = story.effects
    await story.perform(sweepNow, { afterMs: pass === 4 ? weekMs : laterMs })
    quiet = story.effects === before && story.consumers.every(({ settled }) => settled) ? quiet + 1 : 0
  }
}

/**
 * Marks that were taken away, and a person who wrote at the very moment of our own write: with one slot we set our password over theirs, and at a
 * store without a condition our version stands on theirs.
 */
const needsPerson = async (story: Story, trouble: AfterTrouble): Promise<boolean> =>
  trouble === 'stripped' ||
  goes(trouble) ||
  trouble === 'an older add comes late' ||
  (trouble.startsWith('a person writes') && (story.world.rotator === 'a' || (await isContested(story))))

/** We wrote over somebody's value, or an old add came, and what is current then was never told to anybody: the person goes past it. */
async function isContested({ world, setting }: Story): Promise<boolean> {
  const { journal, current, placeLost } = await world.store.describe(world.ref)
  if (journal?.code !== 'stuck' && placeLost !== true) return false
  return journal?.unproven !== undefined || (setting.disturb !== undefined && journal?.announced !== current?.id)
}

async function isStuck({ world }: Story): Promise<boolean> {
  const { journal, placeLost } = await world.store.describe(world.ref)
  return placeLost === true || journal?.code === 'stuck' || !world.accepts(await world.currentText())
}

/** The plot with this one trouble, or none: how many effects it has, and where its invocations end. */
async function rehearse(
  { setting, plot, company }: Omit<AfterPlan, 'at' | 'trouble'>,
  at?: number,
  trouble: AfterTrouble = 'before',
  stopsAtCrash = false,
): Promise<Story> {
  const story = await Story.open(setting, companies[company] ?? [], `after-${seedOf(setting)}`)
  story.stopsAtCrash = stopsAtCrash
  await plot.run(story, at === undefined ? [] : [faultOf(story, { setting, at, trouble })])
  await setting.close?.()
  return story
}

export async function runAfterInto(tally: AfterTally, plan: AfterPlan): Promise<void> {
  const broken = await runAfter(plan)
  tally.points++
  for (const kind of Object.keys(broken) as (keyof AfterBroken)[]) {
    for (const what of new Set(broken[kind])) {
      tally.broken[kind].push(what)
      tally.traces.push(
        `${plan.setting.name}, ${plan.plot.name}, ${plan.company}${plan.aheadMs === undefined ? '' : `, ${plan.aheadMs} ms ahead`}: ${plan.trouble} at ${plan.at}${plan.again ? `, ${plan.again.mode} ${plan.again.later} later` : ''}: ${kind}: ${what}`,
      )
    }
  }
  stopAtFirst(tally.traces)
}

function possible(setting: Setting, trouble: AfterTrouble): boolean {
  if (apart.includes(trouble)) return setting.apart === true
  if (!anywhere.includes(trouble)) return setting.disturb !== undefined
  if (trouble.startsWith('wiped')) return setting.wipe !== undefined
  if (trouble === 'a person writes') return setting.memory || setting.disturb !== undefined
  return trouble !== 'stripped' || setting.memory
}

/** What the pairs leave out: for each effect with another one behind it in its invocation, what both crashes leave behind. */
export async function twins(setting: Setting, plot: Plot, company: string): Promise<readonly (readonly [after: string, before: string])[]> {
  const plan = { setting, plot, company }
  const { effects, ends } = await rehearse(plan)
  const found: [string, string][] = []
  const left = async (at: number, mode: 'before' | 'after') => remains(await rehearse(plan, at, mode, true))
  for (let at = 0; at < effects; at++) if (!ends.has(at + 1)) found.push([await left(at, 'after'), await left(at + 1, 'before')])
  return found
}

/** All that a later invocation can find, but for times: five milliseconds lie between the two. */
async function remains({ world, consumers }: Story): Promise<string> {
  const { ref, store, target } = world
  const versions: string[] = []
  for await (const { id } of store.history(ref)) versions.push(`${id} ${(await store.read(ref, id)).reveal()}`)
  const told = consumers.map((consumer) => [consumer.told, consumer.version])
  const found = [await store.describe(ref), versions, [...target.accounts], [...target.keys], told]
  return JSON.stringify(found, (_, value: unknown) => (typeof value === 'number' && value > 1e11 ? 'a time' : value))
}

/**
 * Two crashes in one story: one of `every` pairs. A crash after an effect is the crash before the next one of the same invocation, and is left to
 * it: only where an invocation has no further effect it is one of its own.
 */
export async function afterPairs(tally: AfterTally, setting: Setting, every: number): Promise<void> {
  let count = 0
  for (const plot of plots) {
    for (const company of Object.keys(companies)) {
      const plan = { setting, plot, company }
      const { effects, ends } = await rehearse(plan)
      for (let at = 0; at < effects; at++) {
        for (const trouble of ends.has(at + 1) ? crashes : (['before'] as const)) {
          let crashed: Story | undefined
          for (const [later, mode] of seconds(effects - at)) {
            if (!picked(count++, every, setting.name)) continue
            if (mode === 'after') crashed ??= await rehearse(plan, at, trouble)
            if (crashed?.ends.has(at + later + 1) === false && mode === 'after') continue
            await runAfterInto(tally, { ...plan, at, trouble, again: { later, mode } })
          }
        }
      }
    }
  }
}

const crashes = ['before', 'after'] as const
/** So many effects later, and on which side of it. */
const seconds = (most: number): (readonly [later: number, mode: 'before' | 'after'])[] =>
  Array.from({ length: most }, (_, index) => crashes.map((mode) => [index + 1, mode] as const)).flat()

/** Every effect of every story × every trouble, for one setting; `every`: one of so many points, by seed. */
export async function afterFaults(tally: AfterTally, setting: Setting, every = 1): Promise<void> {
  let count = 0
  const { close: _, ...open } = setting // what a store is over may take a second to start: it ends with the last point
  const points: Omit<AfterPlan, 'setting'>[] = []
  // Where each call costs most, to find the points of a story costs more than to run what is drawn of them: some of the stories are left out.
  for (const plot of plots.filter((_, index) => setting.drawn === undefined || picked(index, 3, setting.name))) {
    for (const company of Object.keys(companies)) {
      const { effects } = await rehearse({ setting: open, plot, company })
      for (let at = 0; at <= effects; at++) {
        for (const trouble of afterTroubles) {
          if (!possible(setting, trouble)) continue
          if (picked(count++, every, setting.name)) points.push({ plot, company, at, trouble })
        }
      }
    }
  }
  await eachPoint(setting, points, (open, point) => runAfterInto(tally, { ...point, setting: open }))
}

/** How far clocks are apart: a moment, less than anybody minds, and a year. */
const clocksApartMs = [300, 4 * 60_000, 365 * 86_400_000] as const
/** The same crashes with every second process ahead; `every`: one of so many points, by seed. */
export async function clockFaults(tally: AfterTally, setting: Setting, every: number): Promise<void> {
  let count = 0
  for (const plot of plots) {
    for (const company of Object.keys(companies)) {
      const { effects } = await rehearse({ setting, plot, company })
      for (let at = 0; at <= effects; at++)
        for (const aheadMs of clocksApartMs)
          for (const trouble of ['before', 'lost', 'a later sweep'] as const)
            if (picked(count++, every, setting.name)) await runAfterInto(tally, { setting, plot, company, at, trouble, aheadMs })
    }
  }
}
