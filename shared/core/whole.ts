/** A type whose members must all be named: undefined stands for an optional member that is absent. */
export type Whole<T> = { readonly [K in keyof Required<T>]: T[K] }

/**
 * Makes the wrapper of a port. Each member of the port must be named, so that a member that is added to the port later cannot be lost. Undefined
 * members are left out.
 */
export function wholeOf<T extends object>(members: Whole<T>): T {
  const there: Partial<T> = {}
  for (const name of Object.keys(members) as (keyof T)[]) if (members[name] !== undefined) there[name] = members[name]
  return there as T
}
