/** Every member named, also those that are not there: undefined stands for an optional one that is absent. */
export type Whole<T> = { readonly [K in keyof Required<T>]: T[K] }

/**
 * For whoever wraps a port: each member of the port must be named, so that one that is added to it later cannot be lost on the way. What is undefined is
 * left out again.
 */
export const wholeOf = <T extends object>(members: Whole<T>): T =>
  Object.fromEntries(Object.entries(members).filter(([, member]) => member !== undefined)) as T
