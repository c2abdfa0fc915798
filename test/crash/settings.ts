import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeFolders } from '../../shared/stores/file/disk.js'
import { deriveKeys } from '../../shared/stores/file/keys.js'
import { FileStore } from '../../shared/stores/file.js'
import { type Profile, type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { effectStore } from '../harness/effect-store.js'
import type { MemoryClass } from '../harness/world.js'
import type { Setting } from './matrix.js'

export const memoryClasses: readonly MemoryClass[] = ['a', 'b', 'c', 'f']
export const profileNames = Object.keys(profiles) as ProfileName[]

export function memorySetting(name: ProfileName, rotator: MemoryClass, refuseFirst = 0): Setting {
  const profile: Profile = profiles[name]
  return {
    name: `${name} × ${rotator}${refuseFirst > 0 ? `, ${refuseFirst} refused` : ''}`,
    rotator,
    refuseFirst,
    serviceDriven: profile.serviceDriven,
    memory: true,
    openStore: (env, effects) => new MemoryStore(env, profile, effects),
    wipe: (world) => (world.store as MemoryStore).wipeJournal(world.ref),
  }
}

/** Every profile and class; and targets that refuse the first value, where a target is set at all. */
export const memorySettings = (): readonly Setting[] =>
  profileNames.flatMap((name) => [
    ...memoryClasses.map((rotator) => memorySetting(name, rotator)),
    memorySetting(name, 'a', 1),
    memorySetting(name, 'b', 1),
  ])

/** The real file store; its journal and values are one file, so that nobody can wipe one without the other. */
export function fileSetting(rotator: MemoryClass): Setting {
  const homes: string[] = []
  return {
    name: `file store × ${rotator}`,
    rotator,
    serviceDriven: false,
    memory: false,
    openStore: async (env, effects) => {
      const home = await mkdtemp(join(tmpdir(), 'keyturn-matrix-'))
      homes.push(home)
      await makeFolders(home)
      return effectStore(new FileStore(home, deriveKeys(randomBytes(32)), env), effects)
    },
    close: async () => {
      for (const home of homes.splice(0)) await rm(home, { recursive: true })
    },
  }
}
export const fileSettings = (): readonly Setting[] => memoryClasses.map(fileSetting)
