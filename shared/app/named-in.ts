import { RotationError } from '../core/errors.js'

/** Where a ref was written that a person did not type: what it names, and the field that holds it. */
export interface Place {
  readonly what: string
  readonly field: string
}

/** Opens or reads what a ref names. A ref that is wrong, or names nothing, is reported with the place where it was written; every other error passes. */
export async function namedIn<T>({ what, field }: Place, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    if (!(cause instanceof RotationError) || !['bad_event', 'not_found'].includes(cause.code)) throw cause
    throw new RotationError(cause.code, `${what}: ${cause.message}`, { field, cause, next: cause.next })
  }
}
