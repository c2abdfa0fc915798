import { RotationError } from '../../core/errors.js'
import type { Secret } from './wire.js'

/**
 * Throws for a secret whose value Secret Manager itself rotates: a regional one of the type CLOUD_SQL_DB_CREDENTIALS. Two that set one password lock each
 * other out, so that nothing of it is written. managed_elsewhere. https://cloud.google.com/secret-manager/regional-secrets/set-up-automatic-rotation-for-cloudsql-secrets-rs
 */
export function assertNotManaged({ isManaged }: Pick<Secret, 'isManaged'>, shown: string): void {
  if (!isManaged) return
  const why = 'Secret Manager rotates it itself (managed rotation of Cloud SQL, type CLOUD_SQL_DB_CREDENTIALS)'
  throw new RotationError('managed_elsewhere', `${shown} is left alone: ${why}. Nothing of it was changed.`, {
    field: 'ref',
    next: 'Leave its rotation to Secret Manager. For Keyturn to rotate that login, end the managed rotation, and put the login into a secret without a type, with keyturn-rotator=cloud-sql.',
  })
}
