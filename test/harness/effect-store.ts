import type { AnyStore } from './world.js'

/** A store whose every changing method is one effect: for stores that change everything in one atomic write. */
export function effectStore(store: AnyStore, effects: <T>(name: string, act: () => T) => Promise<T>): AnyStore {
  const one = async <T>(name: string, act: () => Promise<T>): Promise<T> => await effects(name, act)
  return {
    traits: store.traits,
    resolve: (text) => store.resolve(text),
    describe: (ref) => store.describe(ref),
    read: (ref, version) => store.read(ref, version),
    readCurrent: (text) => store.readCurrent(text),
    claim: (state, wish) => one('claim', () => store.claim(state, wish)),
    stage: (claim, value) => one('stage', () => store.stage(claim, value)),
    discard: (claim, version) => one('discard', () => store.discard(claim, version)),
    publish: (claim, version) => one('publish', () => store.publish(claim, version)),
    note: (state, patch) => one('note', () => store.note(state, patch)),
    list: (filter) => store.list(filter),
    dispose: (ref, version) => one('dispose', () => store.dispose(ref, version)),
    classify: (cause) => store.classify(cause),
    create: (name, value, policy) => store.create(name, value, policy),
    setPolicy: (ref, patch) => store.setPolicy(ref, patch),
    history: (ref) => store.history(ref),
    release: (ref) => store.release(ref),
  }
}
