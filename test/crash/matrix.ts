import { isDeepStrictEqual } from 'node:util'
import { RotationError } from '../../shared/core/errors.js'
import type { RotationRequest, Token } from '../../shared/core/ports/words.js'
import type { Disturbance } from '../../shared/stores/memory/others.js'
import { Crash, type FakeProcess, type Fault, type FaultMode } from '../harness/faults.js'
import { laterMs, type MemoryClass, type OpenStore, World } from '../harness/world.js'
import { type Broken, checkRefusals, checkSettled, nothingBroken, watchPromises } from './promises.js'

export type Resume = 'same token' | 'resume' | 'new request'
export const resumes: readonly Resume[] = ['same token', 'resume', 'new request']

/** What happens at one effect. */
export type Trouble = FaultMode | 'second holder' | 'taken over' | 'wiped' | 'wiped and crashed' | 'crashed and lagging'
export const troubles: readonly Trouble[] = [
  'before',
  'after',
  'lost',
  'unsent',
  'second holder',
  'taken over',
  'wiped',
  'wiped and crashed',
  'crashed and lagging',
]

export interface Setting {
  readonly name: string
  readonly rotator: MemoryClass
  readonly openStore: OpenStore
  readonly serviceDriven: boolean
  /** It is the memory store, whose marks a test can take away. */
  readonly memory: boolean
  /** Loses its journal on request, as a foreign tool would; absent where the journal is in the same object as the value. */
  readonly wipe?: (world: World) => void
  /** What only a store without a condition does; absent for the others. */
  readonly disturb?: (world: World, event: Disturbance) => void
  /** Nothing on a version says whose it is. */
  readonly bare?: true
  /** Of the worlds that are open at the same time, which: each has a target and a seed of its own. */
  readonly lane?: number
  /** The target's own policy refuses this many values first. */
  readonly refuseFirst?: number
  close?(): Promise<void>
}

/** What a world of this setting is called and seeded by. */
export const seedOf = ({ name, lane }: Setting): string => (lane === undefined ? name : `${name}, ${lane}`)

const lanes = 8
/**
 * Runs every point in a world of its own. On a real store most of a point is waiting for the disk, so that several are run at once, and what they
 * left is closed at the end.
 */
export async function eachPoint<T>(
  setting: Setting,
  points: readonly T[],
  run: (setting: Setting, point: T) => Promise<void>,
): Promise<void> {
  if (setting.memory) {
    for (const point of points) await run(setting, point)
    return
  }
  const { close, ...open } = setting
  const left = points.values()
  const inLane = async (lane: number): Promise<void> => {
    for (const point of left) await run({ ...open, lane }, point)
  }
  await Promise.all(Array.from({ length: lanes }, (_, lane) => inLane(lane)))
  await close?.()
}

const ourToken = 'a-token-of-a-person-0123456789abcdef' as Token
const attemptsMax = 10

/** One run: trouble at effect `at`, perhaps a second crash while resuming, then as many invocations as it takes. */
export interface Plan {
  readonly at: number
  readonly trouble: Trouble
  readonly resume: Resume
  readonly again?: Fault
}

export async function effectsOfHappyPath(setting: Setting): Promise<readonly string[]> {
  const { world, token } = await openWorld(setting)
  const process = world.newProcess()
  await attempt(world, setting, process, { token })
  await setting.close?.()
  return process.effects
}

export async function runPlan(setting: Setting, plan: Plan): Promise<Broken> {
  const { world, token } = await openWorld(setting)
  const broken = nothingBroken()
  watchPromises(world, broken)
  const first = world.newProcess([faultOf(world, setting, plan, token)])
  await attempt(world, setting, first, { token })
  if (plan.trouble === 'wiped and crashed') setting.wipe?.(world)
  await settle(world, setting, plan, token, broken)
  await checkSettled(world, broken)
  // An answer that was lost is unknown, and after a lost claim what was known before may no longer be true: then a login is asked for again.
  if (!['lost', 'wiped', 'taken over'].includes(plan.trouble)) checkRefusals(world, broken)
  await checkCount(world, setting, plan, broken)
  await setting.close?.()
  return broken
}

async function openWorld(setting: Setting): Promise<{ world: World; token: Token }> {
  const world = await World.open(setting.rotator, setting.openStore, `world-${seedOf(setting)}`)
  world.target.refuseNext = setting.refuseFirst ?? 0
  const token = setting.serviceDriven ? await world.startNative() : ourToken
  return { world, token }
}

function faultOf(world: World, setting: Setting, { at, trouble }: Plan, token: Token): Fault {
  const other = async (later: number) => {
    world.env.time += later
    await attempt(world, setting, world.newProcess(), { token })
  }
  if (trouble === 'second holder') return { at, mode: 'act', act: () => other(0) }
  if (trouble === 'taken over') return { at, mode: 'act', act: () => other(laterMs) }
  if (trouble === 'wiped') return { at, mode: 'act', act: async () => setting.wipe?.(world) }
  if (trouble === 'crashed and lagging') return { at, mode: 'after', act: () => world.lagBehind() }
  return { at, mode: trouble === 'wiped and crashed' ? 'after' : trouble }
}

/** One invocation: undefined when it ended well, else its code. Anything but a crash or an error of ours is a bug. */
async function attempt(
  world: World,
  setting: Setting,
  process: FakeProcess,
  request: Partial<RotationRequest>,
): Promise<string | undefined> {
  try {
    if (setting.serviceDriven && request.token !== undefined) await world.runService(process, request.token)
    else await world.run(process, request)
    return undefined
  } catch (cause) {
    if (process.dead || cause instanceof Crash) return 'crash'
    if (cause instanceof RotationError) return cause.code
    throw cause
  }
}

async function settle(world: World, setting: Setting, plan: Plan, token: Token, broken: Broken): Promise<void> {
  const askedAt = world.env.time + laterMs
  let use = token
  for (let count = 0; count < attemptsMax; count++) {
    world.env.time += laterMs
    const faults = count === 0 && plan.again ? [plan.again] : []
    const code = await attempt(world, setting, world.newProcess(faults), requestOf(setting, plan.resume, use, askedAt))
    if (code === undefined || code === 'held' || code === 'stuck') return
    if (code === 'token_spent' && setting.serviceDriven) use = await world.startNative()
  }
  broken.other.push(`not settled after ${attemptsMax} invocations`)
}

function requestOf(setting: Setting, resume: Resume, token: Token, at: number): Partial<RotationRequest> {
  if (setting.serviceDriven || resume === 'same token') return { token }
  return resume === 'resume' ? { kind: 'resume' } : { at }
}

/** P8: one token is one rotation. */
async function checkCount(world: World, setting: Setting, plan: Plan, broken: Broken): Promise<void> {
  const published = await world.published()
  // Where only the journal knew the token, the same request may be carried out once more: it costs time, and no credential.
  const again = setting.bare && plan.trouble.startsWith('wiped') ? [2] : []
  const expected = setting.serviceDriven || plan.resume === 'same token' ? [1, ...again] : plan.resume === 'resume' ? [0, 1] : [1, 2]
  if (!expected.some((count) => isDeepStrictEqual(count, published))) broken.other.push(`${published} publications (P8)`)
}
