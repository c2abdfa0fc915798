import { RotationError } from '../errors.js'
import type { SecretRef } from '../ports/words.js'

/** Makes the error of a call that finds no staging place: without it no rotation can begin. */
export const placeLostError = ({ shown }: SecretRef): RotationError =>
  new RotationError('stuck', `The staging place of ${shown} is gone, with everything in it.`, {
    next: `keyturn recover ${shown} --yes makes it again, and tries every stored value once.`,
  })

/** Makes the error of a write on what was read before somebody else changed it. */
export const overtakenError = ({ shown }: SecretRef): RotationError =>
  new RotationError('conflict', `Another process changed ${shown} meanwhile.`, { next: 'The state is read again.' })

/** Makes the error of a publication that met another writer. */
export const foreignWriteError = ({ shown }: SecretRef, what: string): RotationError =>
  new RotationError('foreign_write', `Somebody else wrote ${shown} between the test and the publication; ${what}.`, {
    next: 'Find out who writes this secret, and put the value that should stay.',
  })
