import { optional } from '../../shared/core/optional.js'
import type { RestAnswer, RestCall, RestDouble } from './rest-double.js'

/** One change of a password, from the call that began it to its effect. */
export interface PlaneOperation {
  readonly name: string
  readonly user: string
  readonly password: string
  readonly sentAt: number
  isOver?: true
  readonly fails?: Failing
}
export interface Failing {
  readonly code: string
  readonly message: string
}
/** at once, later: by a rule. unread: what was sent is not understood. broken, unnamed, stopped: the operation fails, with words about a rule, without a code, or without words. */
export type PlaneRefusal = 'at once' | 'later' | 'unread' | 'broken' | 'unnamed' | 'stopped'
export type Reply = Exclude<RestAnswer, 'cut'>

/** The interface of a platform that sets passwords of its databases, as a server on loopback: a change takes its time, and is then in effect. */
export abstract class PlaneDouble<O extends PlaneOperation, F extends string> {
  readonly operations: O[] = []
  /** Asked before each call; `n` counts from 1. cut: not done, and no answer. drop: done, and no answer. Else how it answers. */
  fault: (call: RestCall, n: number) => F | 'cut' | 'drop' | undefined = () => undefined
  /** Permissions that the caller lacks. */
  readonly mayNot = new Set<string>()
  /** What becomes of a password: the rule of the server refuses it (at once, or as the end of the operation), or something else fails. */
  refuses: (password: string) => PlaneRefusal | undefined = () => undefined
  now: () => number = Date.now
  pendingMs = 1500
  runningMs = 3000
  /** Makes the database take the password. */
  onEffect: (user: string, password: string) => Promise<void> = async () => {}
  readonly #rest: RestDouble
  readonly #sets: string

  /** `sets`: the method of the call that sets a password. */
  protected constructor(rest: RestDouble, sets: string) {
    this.#rest = rest
    this.#sets = sets
    rest.answer = (call, n) => this.#serve(call, n)
  }
  get port(): number {
    return this.#rest.port
  }
  get calls(): RestCall[] {
    return this.#rest.calls
  }
  /** How often a password was sent. */
  get sent(): number {
    return this.calls.filter(({ method }) => method === this.#sets).length
  }
  close(): Promise<void> {
    return this.#rest.close()
  }
  /** As it was before anything happened. */
  reset(): void {
    this.operations.splice(0)
    this.calls.splice(0)
    this.mayNot.clear()
    Object.assign(this, { fault: () => undefined, refuses: () => undefined, onEffect: async () => {}, pendingMs: 1500, runningMs: 3000 })
  }

  protected abstract answer(call: RestCall): Reply
  /** Where the answer does not depend on what was asked; undefined: it does. */
  protected abstract refusedBy(fault: F | 'cut' | 'drop' | undefined): Reply | undefined
  /** The database has the password from now on. */
  protected abstract take(operation: O): void

  async #serve(call: RestCall, n: number): Promise<RestAnswer> {
    const fault = this.fault(call, n)
    if (fault === 'cut') return 'cut'
    const refused = this.refusedBy(fault)
    if (refused !== undefined) return refused
    await this.settle()
    const answer = this.answer(call)
    return fault === 'drop' ? 'cut' : answer
  }

  /** A change that was taken just now. */
  protected begun(user: string, password: string, how: PlaneRefusal | undefined): PlaneOperation {
    return {
      name: `operation-${this.operations.length + 1}`,
      user,
      password,
      sentAt: this.now(),
      ...optional('fails', how && failureOf(how, password)),
    }
  }

  /** What has become due meanwhile. */
  async settle(): Promise<void> {
    for (const one of this.operations) {
      if (one.isOver || this.now() < one.sentAt + this.pendingMs + this.runningMs) continue
      one.isOver = true
      if (one.fails !== undefined) continue
      this.take(one)
      await this.onEffect(one.user, one.password)
    }
  }
}

/** As which an operation ends that fails. */
function failureOf(how: PlaneRefusal, password: string): Failing {
  if (how === 'broken')
    return { code: 'INTERNAL_ERROR', message: `Failed to check the password policy of the user for "${password}", please retry.` }
  if (how === 'unnamed') return { code: '', message: `The length and the characters of the password "${password}" could not be checked.` }
  if (how === 'stopped') return { code: 'ABORTED', message: `Failed to update the password of the user to "${password}".` }
  return { code: 'INVALID_PASSWORD', message: `password "${password}" does not meet complexity requirements` }
}
