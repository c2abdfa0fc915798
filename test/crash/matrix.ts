import { isDeepStrictEqual } from 'node:util'
import { codeOf, RotationError } from '../../shared/core/errors.js'
import type { RotationRequest, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { recover } from '../../shared/lifecycle/rotation/recover.js'
import type { Disturbance } from '../../shared/stores/memory/others.js'
import { Crash, type FakeProcess, type Fault, type FaultMode, isReading } from '../harness/faults.js'
import type { Readers } from '../harness/stores.js'
import { laterMs, type MemoryClass, type OpenStore, World } from '../harness/world.js'
import { type Broken, checkRefusals, checkSettled, nothingBroken, watchPromises } from './promises.js'

export type Resume = 'same token' | 'resume' | 'new request'
export const resumes: readonly Resume[] = ['same token', 'resume', 'new request']

/** What only happens where writes have no condition. */
const unfencedTroubles = [
  'a person writes',
  'a person writes, crashed',
  'an add comes twice',
  'crashed, its add comes next',
  'a value is kept twice',
  'a value is kept twice, crashed',
  'lists lag',
  'lists lag, crashed',
  'the place goes',
  'the place goes, crashed',
  // Of those that keep the journal apart from what is staged, under a lease:
  'both places go',
  'both places go, crashed',
  'the lease is broken',
  'the lease is broken, crashed',
  'a write overlaps',
] as const
type UnfencedTrouble = (typeof unfencedTroubles)[number]
export const isUnfenced = (trouble: Trouble): boolean => unfencedTroubles.some((one) => one === trouble)
/** Whether it needs a journal that is apart from what is staged, and a lease. */
export const isApart = (trouble: Trouble): boolean =>
  unfencedTroubles.slice(unfencedTroubles.indexOf('both places go')).some((one) => one === trouble)

/** What happens at one effect. */
export type Trouble = FaultMode | 'second holder' | 'taken over' | 'wiped' | 'wiped and crashed' | 'crashed and lagging' | UnfencedTrouble
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
  ...unfencedTroubles,
]

/** After somebody else's act, what works may be known to nobody but the target: then a person recovers. */
const mayNeedPerson = (trouble: Trouble): boolean =>
  ['a person writes', 'the place goes', 'both places go'].some((start) => trouble.startsWith(start))

export interface Setting {
  readonly name: string
  readonly rotator: MemoryClass
  readonly openStore: OpenStore
  readonly serviceDriven: boolean
  /** It is the memory store, whose marks a test can take away. */
  readonly memory: boolean
  /** Loses its journal on request, as a foreign tool would; absent where the journal is in the same object as the value. */
  readonly wipe?: (world: World) => void | Promise<void>
  /** What only a store without a condition does; absent for the others. */
  readonly disturb?: (world: World, event: Disturbance) => void | Promise<void>
  /** The same, where each call is an effect, those that read, too. */
  readonly openReads?: OpenStore
  /** Who reads the secret with the platform's own means. */
  readonly readers?: (world: World) => Readers
  /** Nothing on a version says whose it is. */
  readonly bare?: true
  /** The journal and what is staged are in two places: either may go alone, and what was staged can be had back. */
  readonly apart?: true
  /** Each of its calls goes over a wire. */
  readonly slow?: true
  /** Where the whole matrix runs, one of so many of its points is tried. */
  readonly drawn?: number
  /** Of the worlds that are open at the same time, which: each has a target and a seed of its own. */
  readonly lane?: number
  /** No password can be tried: only the answer to setting a value proves it. */
  readonly byAnswer?: true
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

/** The effects of a rotation that nobody disturbs. */
export interface HappyPath {
  readonly effects: readonly string[]
  /** Which of them sets the value at the target, and which one publishes it; -1 for none. */
  readonly sets: number
  readonly publishes: number
}

export async function happyPath(setting: Setting): Promise<HappyPath> {
  const { world, token } = await openWorld(setting)
  const process = world.newProcess()
  let publishes = -1
  world.watch = async () => {
    if (publishes < 0 && (await world.published()) > 0) publishes = process.effects.length - 1
  }
  await attempt(world, setting, process, { token })
  await setting.close?.()
  return { effects: process.effects, sets: process.effects.indexOf('target.set'), publishes }
}

export async function runPlan(setting: Setting, plan: Plan, path: HappyPath): Promise<Broken> {
  const { world, token } = await openWorld(setting)
  const broken = nothingBroken()
  watchPromises(world, broken, !mayNeedPerson(plan.trouble), setting.readers?.(world))
  const first = world.newProcess([faultOf(world, setting, plan, token)])
  await attempt(world, setting, first, { token })
  if (plan.trouble === 'wiped and crashed') await setting.wipe?.(world)
  if (plan.trouble === 'crashed, its add comes next') await setting.disturb?.(world, 'late add')
  await settle(world, setting, plan, token, broken)
  if (mayNeedPerson(plan.trouble)) await personActs(world, setting, plan, path, token, broken)
  await checkSettled(world, broken)
  // An answer that was lost is unknown, and after a lost claim what was known before may no longer be true: then a login is asked for again.
  const isUnknown = ['lost', 'wiped', 'taken over'].includes(plan.trouble) || plan.again?.mode === 'lost'
  if (!isUnknown && !mayNeedPerson(plan.trouble)) checkRefusals(world, broken)
  if (!mayNeedPerson(plan.trouble)) await checkCount(world, setting, plan, broken)
  await setting.close?.()
  return broken
}

async function openWorld(setting: Setting): Promise<{ world: World; token: Token }> {
  const world = await World.open(setting.rotator, setting.openStore, `world-${seedOf(setting)}`)
  world.target.refuseNext = setting.refuseFirst ?? 0
  if (setting.byAnswer) world.tryNothing()
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
  if (trouble === 'wiped and crashed') return { at, mode: 'after' }
  const disturb = (event: Disturbance) => async () => await setting.disturb?.(world, event)
  const faults: Readonly<Record<UnfencedTrouble, Omit<Fault, 'at'>>> = {
    'a person writes': { mode: 'act', act: () => world.writeByHand() },
    'a person writes, crashed': { mode: 'after', act: () => world.writeByHand() },
    'an add comes twice': { mode: 'act', act: disturb('late add') },
    'crashed, its add comes next': { mode: 'before' },
    'a value is kept twice': { mode: 'act', act: disturb('staged twice') },
    'a value is kept twice, crashed': { mode: 'after', act: disturb('staged twice') },
    'lists lag': { mode: 'act', act: disturb('lag') },
    'lists lag, crashed': { mode: 'after', act: disturb('lag') },
    'the place goes': { mode: 'act', act: disturb('place lost') },
    'the place goes, crashed': { mode: 'after', act: disturb('place lost') },
    'both places go': { mode: 'act', act: disturb('all lost') },
    'both places go, crashed': { mode: 'after', act: disturb('all lost') },
    'the lease is broken': { mode: 'act', act: disturb('lease broken') },
    'the lease is broken, crashed': { mode: 'after', act: disturb('lease broken') },
    'a write overlaps': { mode: 'act', act: disturb('overlap') },
  }
  return trouble in faults ? { at, ...faults[trouble as UnfencedTrouble] } : { at, mode: trouble as FaultMode }
}

/**
 * What no rule of a store without a condition removes. contested: somebody writes between our last look and our add, which follows it at once, or their
 * password and ours are set at the same moment in one slot. lost: the staging place goes with the only copy of what the one slot accepts, and its process
 * is dead.
 */
function mayBeStuck(
  { rotator, apart }: Setting,
  { at, trouble }: Plan,
  { effects, sets, publishes }: HappyPath,
  what: 'contested' | 'lost',
): boolean {
  if (what === 'lost') return rotator === 'a' && !apart && trouble === 'the place goes, crashed' && sets <= at && at < publishes
  if (rotator === 'a' && effects[at] === 'target.set') return true
  return at <= publishes && publishes - at <= 1 && effects.slice(at, publishes).every(isReading)
}

/**
 * What the runbook says: recover, and where nobody has the value that was set, the target is made to accept the stored one. Then the rotation that was
 * asked for.
 */
async function personActs(world: World, setting: Setting, plan: Plan, path: HappyPath, token: Token, broken: Broken): Promise<void> {
  const isStuck = async (): Promise<boolean> => {
    const { journal, placeLost } = await world.store.describe(world.ref)
    return placeLost === true || journal?.code !== undefined
  }
  const recovered = () => world.act(world.newProcess(), (deps) => recover(deps, world.store, world.ref.shown, true))
  world.env.time += laterMs
  // The announce pass, which every rotation ends with, proves what nothing explains.
  await world
    .act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
    .catch((cause: unknown) => {
      if (codeOf(cause) !== 'stuck') throw cause
    })
  if (!(await isStuck())) return
  if (setting.byAnswer) {
    await recovered() // which makes a lost staging place again, and gives no value up that no login can try
    if (await isStuck()) await putByHand(world)
    if (await isStuck()) broken.other.push('stuck after a put that sets the value')
    return settle(world, setting, plan, token, broken)
  }
  const isByHand = plan.trouble.startsWith('a person writes')
  if (isByHand && !mayBeStuck(setting, plan, path, 'contested'))
    broken.other.push('stuck, though nobody wrote between our look and our write')
  await recovered()
  if (await isStuck()) {
    if (!mayBeStuck(setting, plan, path, 'lost')) broken.other.push('stuck after recover, and somebody has the value')
    const { username, password } = JSON.parse(await world.currentText()) as { username: string; password: string }
    world.target.accounts.set(username, password)
    await recovered()
  }
  await settle(world, setting, plan, token, broken)
}

/** Where no login can tell what the target has, a person gives the value that is set. */
async function putByHand(world: World): Promise<void> {
  const value = { ...(JSON.parse(await world.currentText()) as object), password: 'given-by-hand-0123456789' }
  await world.run(world.newProcess(), { kind: 'put' }, new SecretText(JSON.stringify(value)))
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
    if (code !== 'token_spent') continue
    if (setting.serviceDriven) use = await world.startNative()
    else return void (await attempt(world, setting, world.newProcess(), { kind: 'resume' })) // as the next sweep clears it away
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
