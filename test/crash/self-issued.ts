import { RotationError } from '../../shared/core/errors.js'
import type { SecretRef, Token } from '../../shared/core/ports/words.js'
import { profiles } from '../../shared/stores/memory/profiles.js'
import type { Fault, FaultMode } from '../harness/faults.js'
import { SelfIssuedWorld } from '../harness/self-issued-world.js'
import { picked, stopAtFirst } from './sample.js'
import { type Tale, tales } from './self-issued-tales.js'

/** What happens at one effect: of the source's store, of the companions' one, of a place outside, or of a target. */
export const selfIssuedTroubles = [
  'before',
  'after',
  'lost',
  'unsent',
  'wiped',
  'wiped and crashed',
  'an outage',
  'a sweep at once',
  'a later sweep',
] as const
export type SelfIssuedTrouble = (typeof selfIssuedTroubles)[number]

export interface SelfIssuedTally {
  points: number
  readonly broken: string[]
}
const laterMs = 16 * 60_000
const hourMs = 3_600_000
const passesMax = 12
const attemptsMax = 6
/** How many invocations an outage of the companions' places lasts. */
const outageMax = 3

interface Point {
  readonly at: number
  readonly trouble: SelfIssuedTrouble
  readonly again?: number
}
/** One run of a tale, as far as it has come. */
class Run {
  readonly world: SelfIssuedWorld
  readonly broken: string[] = []
  readonly #faults: readonly Fault[]
  effects = 0
  readonly #tale: Tale
  #outage = 0
  #wiped = false
  constructor(tale: Tale, point: Point | undefined, wipe: (world: SelfIssuedWorld) => void) {
    this.#tale = tale
    this.world = new SelfIssuedWorld(tale.name, tale.profile, tale.otherProfile)
    const wipeSeen = (world: SelfIssuedWorld): void => {
      this.#wiped = true
      wipe(world)
    }
    this.#faults =
      point === undefined
        ? []
        : [this.#faultOf(point, wipeSeen), ...(point.again === undefined ? [] : [{ at: point.at + point.again, mode: 'after' as const }])]
  }
  #faultOf({ at, trouble }: Point, wipe: (world: SelfIssuedWorld) => void): Fault {
    const other = async (later: number): Promise<void> => {
      this.world.env.time += later
      await this.world.sweep()
    }
    if (trouble === 'wiped') return { at, mode: 'act', act: async () => wipe(this.world) }
    if (trouble === 'wiped and crashed') return { at, mode: 'after', act: async () => wipe(this.world) }
    if (trouble === 'an outage')
      return {
        at,
        mode: 'act',
        act: async () => {
          this.#outage = outageMax
          for (const place of this.#tale.places ?? []) this.world.down.add(place)
        },
      }
    if (trouble === 'a sweep at once') return { at, mode: 'act', act: () => other(0) }
    if (trouble === 'a later sweep') return { at, mode: 'act', act: () => other(laterMs) }
    return { at, mode: trouble satisfies FaultMode }
  }

  /** One invocation, with the fault if its effect lies in it. The code that it ended with. */
  async perform(act: (process: ReturnType<SelfIssuedWorld['newProcess']>) => Promise<unknown>): Promise<string | undefined> {
    const offset = this.effects
    const faults = this.#faults.filter(({ at }) => at >= offset).map((fault) => ({ ...fault, at: fault.at - offset }))
    const process = this.world.newProcess(faults)
    try {
      await act(process)
      return undefined
    } catch (cause) {
      if (process.dead) return 'crash'
      if (cause instanceof RotationError) return cause.code
      throw cause
    } finally {
      if (--this.#outage === 0) this.world.down.clear()
      this.effects += process.effects.length
      this.world.env.time += laterMs
    }
  }
  sweep = (): Promise<string | undefined> => this.perform((process) => this.world.sweep(process))

  /** A version that is its payload alone does not say whose it is: without the journal, the same request is another emergency. */
  #isForgotten = (): boolean => this.#wiped && 'bare' in profiles[this.#tale.profile]

  /** As a person does it: the same command again until it is done. */
  async rotate(ref: SecretRef, round: number, tale: Tale, beginEmergency: () => void): Promise<void> {
    const name = `${round}`
    const token = `token-${name}-0123456789-0123456789abcdef` as Token
    const kind = tale.emergency === round ? 'emergency' : 'rotate'
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      if (kind === 'emergency' && (attempt === 0 || this.#isForgotten())) beginEmergency()
      const code = await this.perform((process) => this.world.rotate(ref, { token, kind }, process))
      if (code === undefined || code === 'token_spent') return
      if (code === 'held') {
        await this.sweep()
        await tale.between?.(this.perform.bind(this), this.world, ref)
        this.world.env.time += 3 * hourMs
      } else if (code !== 'crash' && attempt === attemptsMax - 1) this.broken.push(`${name} ended ${code}`)
    }
  }
}

async function play(tale: Tale, point?: Point): Promise<Run> {
  let source: SecretRef | undefined
  const run = new Run(tale, point, (world) => source && world.main.wipeJournal(source))
  const { world } = run
  source = await tale.open(world)
  const ref = source
  const watched = tale.watch()
  const seen: { text: string } = { text: await world.text(ref) }
  world.watch = async (effect) => {
    const text = await world.text(ref)
    const wrong = await watched.look(world, text, seen.text)
    if (wrong !== undefined) run.broken.push(`${wrong} after ${effect}`)
    seen.text = text
  }
  for (let round = 0; round < tale.rounds; round++) {
    await run.rotate(ref, round, tale, () => watched.beginEmergency?.())
    await run.sweep()
    world.env.time += 6 * hourMs
    await tale.between?.(run.perform.bind(run), world, ref)
  }
  for (let pass = 0; pass < passesMax; pass++) await run.sweep()
  // What was met in the last of them is put right by the next.
  for (let pass = 0; point !== undefined && pass < 3; pass++) {
    world.env.time += laterMs
    await world.sweep()
  }
  await checkEnd(run, tale, ref)
  return run
}

async function checkEnd({ world, broken }: Run, tale: Tale, ref: SecretRef): Promise<void> {
  const state = await world.state(ref)
  const text = await world.text(ref)
  if (state.journal?.code !== undefined) broken.push(`ended ${state.journal.code}`)
  if (state.pending?.hasValue || state.loose.length > 0) broken.push('a pending value is left')
  if (state.journal?.announced !== state.current?.id) broken.push('the last publication was never noted as announced')
  const wrong = await tale.settled(world, text)
  if (wrong !== undefined) broken.push(wrong)
  const published = world.main.publications(ref)
  if (published < tale.rounds) broken.push(`${published} publications of ${tale.rounds} that were asked for`)
  const said = JSON.stringify([world.audit, world.env.lines, state])
  for (const secret of tale.secrets(text)) if (said.includes(secret)) broken.push('a value stands in the audit, the log or the state')
}

export const selfIssuedEffects = async (tale: Tale): Promise<number> => (await play(tale)).effects

/** Every effect × every trouble; `every`: one of so many, by seed. And pairs of crashes, one of `pairs`. */
export async function selfIssuedFaults(tally: SelfIssuedTally, tale: Tale, every = 1, pairs = 0): Promise<void> {
  const happy = await play(tale)
  if (happy.broken.length > 0) tally.broken.push(...happy.broken.map((what) => `${tale.name}: undisturbed: ${what}`))
  let count = 0
  const one = async (point: Point): Promise<void> => {
    const { broken } = await play(tale, point)
    tally.points++
    const when = `${point.trouble} at ${point.at}${point.again === undefined ? '' : `, again ${point.again} later`}`
    tally.broken.push(...new Set(broken.map((what) => `${tale.name}: ${when}: ${what}`)))
    stopAtFirst(tally.broken)
  }
  for (let at = 0; at < happy.effects; at++)
    for (const trouble of selfIssuedTroubles) {
      if (picked(count++, every)) await one({ at, trouble })
      for (let again = 1; pairs > 0 && again < 12; again++)
        if (['before', 'after', 'wiped and crashed'].includes(trouble) && picked(count++, pairs)) await one({ at, trouble, again })
    }
}
export { tales }
