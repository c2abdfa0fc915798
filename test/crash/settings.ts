import { type Profile, type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import type { MemoryClass } from '../harness/world.js'
import type { Setting } from './matrix.js'

export const memoryClasses: readonly MemoryClass[] = ['a', 'b', 'c', 'f']
export const profileNames = Object.keys(profiles) as ProfileName[]

export function memorySetting(name: ProfileName, rotator: MemoryClass): Setting {
  const profile: Profile = profiles[name]
  return {
    name: `${name} × ${rotator}`,
    rotator,
    serviceDriven: profile.serviceDriven,
    openStore: (env, effects) => new MemoryStore(env, profile, effects),
    ...(profile.serviceDriven ? {} : { wipe: (world) => (world.store as MemoryStore).wipeJournal(world.ref) }),
  }
}

export const memorySettings = (): readonly Setting[] =>
  profileNames.flatMap((name) => memoryClasses.map((rotator) => memorySetting(name, rotator)))
