import { AsyncLocalStorage } from 'node:async_hooks'
import { RotationError } from '../../shared/core/errors.js'

/** before / after: the process dies there. lost: done, but the answer is lost. unsent: not done, and known not to be. act: nothing but `act`, which comes first in every mode. */
export type FaultMode = 'before' | 'after' | 'lost' | 'unsent' | 'act'
export interface Fault {
  readonly at: number
  readonly mode: FaultMode
  act?(): Promise<void>
}

export class Crash extends Error {
  override readonly name = 'Crash'
}

/** One invocation: counts its effects, and is dead from a crash on. */
export interface FakeProcess {
  readonly name: string
  readonly faults: readonly Fault[]
  readonly effects: string[]
  dead: boolean
  /** How far its clock is ahead, in milliseconds. */
  aheadMs: number
}

const running = new AsyncLocalStorage<FakeProcess>()
export const startProcess = (name: string, faults: readonly Fault[] = []): FakeProcess => ({
  name,
  faults,
  effects: [],
  dead: false,
  aheadMs: 0,
})
export const inProcess = <T>(process: FakeProcess, act: () => Promise<T>): Promise<T> => running.run(process, act)
export const currentProcess = (): FakeProcess | undefined => running.getStore()

/** Of an effect that changes nothing: the name of the call, marked as a read. */
export const reading = (call: string): string => `read ${call}`
export const isReading = (effect: string): boolean => effect.startsWith('read ')

const lostAnswer = (name: string): RotationError =>
  name.startsWith('target.')
    ? new RotationError('target_unreachable', `The answer to ${name} was lost.`, { next: 'Try again.' })
    : new RotationError('ambiguous', `The answer to ${name} was lost.`, { next: 'Read the state.' })
const notSent = (name: string): RotationError =>
  new RotationError(name.startsWith('target.') ? 'target_unreachable' : 'unavailable', `${name} was not sent.`, { next: 'Try again.' })

/** Performs one effect of the running process, with the fault that is planned for it. Outside a process nothing is injected. */
export async function effect<T>(name: string, act: () => T | Promise<T>, watch: (name: string) => Promise<void>): Promise<T> {
  const process = running.getStore()
  if (process === undefined) return act()
  if (process.dead) throw new Crash(name)
  const fault = process.faults.find(({ at }) => at === process.effects.length)
  process.effects.push(name)
  if (fault?.act) await running.exit(fault.act)
  const die = (): never => {
    process.dead = true
    throw new Crash(name)
  }
  if (fault?.mode === 'before') die()
  if (fault?.mode === 'unsent') throw notSent(name)
  const result = await act()
  await running.exit(() => watch(name))
  if (fault?.mode === 'after') die()
  if (fault?.mode === 'lost') throw lostAnswer(name)
  return result
}
