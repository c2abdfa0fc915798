import assert from 'node:assert/strict'
import { assertInTime } from '../../shared/core/errors.js'
import type { AnyRotator } from '../../shared/core/ports/rotator.js'
import { type MemoryTarget, memoryTarget } from '../../shared/rotators/memory/target.js'
import type { MemoryValue } from '../../shared/rotators/memory/value.js'

/** Every value that a target has said to have set, by user and password. */
export class Answers {
  readonly #heard = new Set<string>()
  has = (user: string, password: string): boolean => this.#heard.has(JSON.stringify([user, password]))
  add = (user: string, password: string): void => void this.#heard.add(JSON.stringify([user, password]))
}

/** The same kind of credential where no password can be tried: whoever tries one fails the test. `place`: what `login` asks without a password. */
export const byAnswer = (inner: AnyRotator, answers: Answers, place: () => void = () => {}): AnyRotator => ({
  ...inner,
  traits: { ...inner.traits, proof: () => 'answer' },
  apply: async (context, pending) => {
    const { target, user, password } = pending as MemoryValue
    const there: MemoryTarget = memoryTarget(target)
    await there.setPassword(user, password.reveal(), () => assertInTime(context, 'set'))
    answers.add(user, password.reveal())
    return { done: true }
  },
  accepted: async () => assert.fail('a password was tried, though none can be'),
  verify: async () => [],
  login: async () => {
    place()
    return { passwordAccepted: null, logsIn: null }
  },
})
