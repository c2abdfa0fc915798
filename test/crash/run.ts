import { type FaultMode, isReading } from '../harness/faults.js'
import {
  eachPoint,
  type HappyPath,
  happyPath,
  isApart,
  isUnfenced,
  type Plan,
  resumes,
  runPlan,
  type Setting,
  type Trouble,
  troubles,
} from './matrix.js'
import { type Broken, nothingBroken } from './promises.js'
import { picked, stopAtFirst } from './sample.js'

export interface Tally {
  points: number
  readonly broken: Broken
  readonly traces: string[]
}
export const emptyTally = (): Tally => ({ points: 0, broken: nothingBroken(), traces: [] })

export async function runInto(tally: Tally, setting: Setting, plan: Plan, path: HappyPath): Promise<void> {
  const { effects } = path
  const broken = await runPlan(setting, plan, path)
  tally.points++
  for (const kind of Object.keys(broken) as (keyof Broken)[]) {
    for (const what of broken[kind]) {
      tally.broken[kind].push(what)
      const again = plan.again ? `, then ${plan.again.mode} at ${plan.again.at}` : ''
      tally.traces.push(
        `${setting.name}: ${plan.trouble} at ${plan.at} (${effects[plan.at] ?? 'beyond'})${again}, ${plan.resume}: ${kind}: ${what}`,
      )
    }
  }
  stopAtFirst(tally.traces)
}

/** A service serialises the steps of one secret (R2): two at once with a value that one of them gives up do not happen there. */
function possible(setting: Setting, trouble: Trouble): boolean {
  if (isUnfenced(trouble)) return setting.disturb !== undefined && (setting.apart === true || !isApart(trouble))
  if (trouble.startsWith('wiped')) return setting.wipe !== undefined
  const two = trouble === 'second holder' || trouble === 'taken over'
  return !(two && setting.serviceDriven && (setting.refuseFirst ?? 0) > 0)
}

/**
 * Every effect of the happy path × every trouble × every way to resume; `every`: one of so many, by seed; `unfencedEvery`: of what only happens where
 * writes have no condition.
 */
export async function singleFaults(tally: Tally, setting: Setting, every = 1, unfencedEvery = every): Promise<void> {
  const path = await happyPath(setting)
  const { effects } = path
  let count = 0
  const plans: Plan[] = []
  for (let at = 0; at < effects.length; at++) {
    for (const trouble of troubles) {
      if (!possible(setting, trouble)) continue
      for (const resume of setting.serviceDriven ? (['same token'] as const) : resumes)
        if (picked(count++, isUnfenced(trouble) ? unfencedEvery : every)) plans.push({ at, trouble, resume })
    }
  }
  await eachPoint(setting, plans, (open, plan) => runInto(tally, open, plan, path))
}

const readTroubles: readonly Trouble[] = ['before', 'lost', 'a person writes', 'a person writes, crashed', 'lists lag', 'the place goes']
/** What a process leaves behind that dies at a write. */
const leftBehind: readonly Trouble[] = ['before', 'after', 'a person writes, crashed', 'wiped and crashed']

/**
 * Where the reads of a store are effects: every one that a rotation makes × every trouble that a read can meet; and after every crash each read of the
 * invocation that takes it up, whose answer is lost. A read that fails is not what is not there: nothing wrong is written after it. `every`: one of so
 * many points, by seed; `crashedEvery`: of those after a crash.
 */
export async function readFaults(tally: Tally, setting: Setting, every = 1, crashedEvery = every): Promise<void> {
  if (setting.openReads === undefined) return
  const open = { ...setting, name: `${setting.name}, its reads`, openStore: setting.openReads }
  const path = await happyPath(open)
  const { effects } = path
  let count = 0
  const plans: Plan[] = []
  const add = (plan: Plan): void => {
    if (picked(count++, plan.again === undefined ? every : crashedEvery)) plans.push(plan)
  }
  for (const [at, effect] of effects.entries()) {
    for (const trouble of isReading(effect) ? readTroubles : []) for (const resume of resumes) add({ at, trouble, resume })
    for (const trouble of isReading(effect) ? [] : leftBehind)
      for (let second = 0; second < effects.length + 10; second++)
        for (const resume of resumes) add({ at, trouble, resume, again: { at: second, mode: 'lost' } })
  }
  await eachPoint(open, plans, (one, plan) => runInto(tally, one, plan, path))
}

/** Every pair of crashes: one in the rotation, one in the invocation that takes it up; `every`: one of so many, by seed. */
export async function crashPairs(tally: Tally, setting: Setting, every = 1): Promise<void> {
  const path = await happyPath(setting)
  const { effects } = path
  const modes: readonly FaultMode[] = ['before', 'after']
  let count = 0
  for (let at = 0; at < effects.length; at++) {
    for (const trouble of ['before', 'after', ...(setting.wipe ? (['wiped and crashed'] as const) : [])] as const) {
      for (let second = 0; second < effects.length + 2; second++) {
        for (const mode of modes)
          if (picked(count++, every))
            await runInto(tally, setting, { at, trouble, resume: 'same token', again: { at: second, mode } }, path)
      }
    }
  }
}
