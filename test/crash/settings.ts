import { type NamedStore, storeHarnesses, type Watched } from '../harness/stores.js'
import type { MemoryClass } from '../harness/world.js'
import type { Setting } from './matrix.js'

export const memoryClasses: readonly MemoryClass[] = ['a', 'b', 'c', 'f']

/** Every store that a harness lets the matrix watch: a new one is in it by its harness entry. */
export const watchedStores: readonly Watched[] = Object.values<readonly NamedStore[]>(storeHarnesses)
  .flat()
  .flatMap(({ watched }) => watched ?? [])

export const settingOf = (watched: Watched, rotator: MemoryClass, refuseFirst = 0): Setting => ({
  name: `${watched.name} × ${rotator}${refuseFirst > 0 ? `, ${refuseFirst} refused` : ''}`,
  rotator,
  refuseFirst,
  serviceDriven: watched.serviceDriven,
  memory: watched.memory,
  openStore: watched.open,
  ...(watched.wipe ? { wipe: watched.wipe } : {}),
  ...(watched.disturb ? { disturb: watched.disturb } : {}),
  ...(watched.openReads ? { openReads: watched.openReads } : {}),
  ...(watched.readers ? { readers: watched.readers } : {}),
  ...(watched.bare ? { bare: watched.bare } : {}),
  ...(watched.apart ? { apart: watched.apart } : {}),
  ...(watched.slow ? { slow: watched.slow } : {}),
  ...(watched.drawn ? { drawn: watched.drawn } : {}),
  ...(watched.close ? { close: watched.close } : {}),
})

/** By name: `gcp`, `file store`. */
export function settingFor(name: string, rotator: MemoryClass): Setting {
  const watched = watchedStores.find((one) => one.name === name)
  if (watched === undefined) throw new Error(`No harness lets the matrix watch a store ${name}.`)
  return settingOf(watched, rotator)
}

/** Those of the memory store: each with every class, and with targets that refuse the first value, where a target is set at all. */
export const memorySettings = (): readonly Setting[] =>
  watchedStores
    .filter(({ memory }) => memory)
    .flatMap((watched) => [
      ...memoryClasses.map((rotator) => settingOf(watched, rotator)),
      settingOf(watched, 'a', 1),
      settingOf(watched, 'b', 1),
    ])

/** Every store, with a kind of credential whose values no login can try. */
export const byAnswerSettings = (): readonly Setting[] =>
  watchedStores.map((watched) => ({ ...settingOf(watched, 'a'), name: `${watched.name} × a, by its answer`, byAnswer: true }))

/** Real stores. */
export const realSettings = (): readonly Setting[] =>
  watchedStores.filter(({ memory }) => !memory).flatMap((watched) => memoryClasses.map((rotator) => settingOf(watched, rotator)))
