/** Every member named, also those that are not there: undefined stands for an optional one that is absent. */
export type Whole<T> = { readonly [K in keyof Required<T>]: T[K] }

/**
 * For whoever wraps a port: each member of the port must be named, so that one that is added to it later cannot be lost on the way. What is undefined is
 * left out again.
 */
export function wholeOf<T extends object>(members: Whole<T>): T {
  const there: Partial<T> = {}
  for (const name of Object.keys(members) as (keyof T)[]) if (members[name] !== undefined) there[name] = members[name]
  return there as T
}
