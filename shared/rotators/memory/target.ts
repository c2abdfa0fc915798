import { counted } from '../../core/counted.js'
import { RotationError } from '../../core/errors.js'
import type { Effects } from './effects.js'
import { straight } from './effects.js'

/** A key that the target made. One logs in with `id` and `secret`; `tag` is the token of the rotation; `createdAt` in epoch milliseconds. */
export interface IssuedKey {
  readonly id: string
  readonly secret: string
  readonly tag: string
  readonly createdAt: number
}

/** A system that accepts credentials, in a Map: accounts with one password each, and keys that it issues itself. */
export class MemoryTarget {
  readonly accounts = new Map<string, string>()
  readonly keys = new Map<string, IssuedKey>()
  /** Every login that was tried. */
  readonly logins: { readonly user: string; readonly accepted: boolean; readonly secret: string }[] = []
  /** Open sessions by account, for usage. */
  readonly sessions = new Map<string, number>()
  /** When a credential was last used, where the target keeps that. */
  readonly lastUsed = new Map<string, number>()
  /** How many of the next values the target's own policy refuses. */
  refuseNext = 0
  /** How many of the next logins with a new key are refused although the key is right. */
  unknownFor = 0
  readonly keysMax: number
  effects: Effects = straight
  #issued = 0

  constructor(keysMax = 10) {
    this.keysMax = keysMax
  }

  async login(user: string, secret: string): Promise<boolean> {
    return this.effects('target.login', () => {
      const key = this.keys.get(user)
      const spreading = key !== undefined && this.unknownFor > 0 && this.unknownFor-- > 0
      const accepted = !spreading && (this.accounts.get(user) === secret || key?.secret === secret)
      this.logins.push({ user, accepted, secret })
      return accepted
    })
  }

  /** `inTime` is asked at the very moment of the change: a session of a process that slept would have ended. */
  async setPassword(user: string, password: string, inTime: () => void = () => {}): Promise<void> {
    await this.effects('target.set', () => {
      inTime()
      if (!this.accounts.has(user))
        throw new RotationError('target_denied', `The target has no account ${user}.`, { next: 'Create the account.' })
      if (this.refuseNext > 0 && this.refuseNext--)
        throw new RotationError('rejected', 'The target refuses this password by its policy.', { next: 'Change the password rule.' })
      this.accounts.set(user, password)
    })
  }

  async issue(tag: string, secret: string, now: number): Promise<IssuedKey> {
    return this.effects('target.issue', () => {
      if (this.keys.size >= this.keysMax)
        throw new RotationError('cap_reached', `The issuer has ${counted(this.keysMax, 'key')} already.`, {
          next: 'Delete one that nobody uses.',
        })
      const key = { id: `key-${++this.#issued}`, secret, tag, createdAt: now }
      this.keys.set(key.id, key)
      return key
    })
  }

  async remove(id: string, inTime: () => void = () => {}): Promise<void> {
    await this.effects('target.remove', () => {
      inTime()
      this.keys.delete(id)
      if (this.accounts.has(id)) this.accounts.set(id, '')
    })
  }
}

/** Targets of this process by name, so that a secret can say which one it belongs to. */
const targets = new Map<string, MemoryTarget>()
/** Returns the target of that name in this process; the first call makes it, without accounts. */
export function memoryTarget(name: string): MemoryTarget {
  const there = targets.get(name)
  if (there) return there
  const made = new MemoryTarget()
  targets.set(name, made)
  return made
}
/** Puts a target under a name, and replaces one that is there. */
export const setMemoryTarget = (name: string, target: MemoryTarget): void => void targets.set(name, target)
