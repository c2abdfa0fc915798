import { classifyAws, nameOf } from '../../aws/client.js'
import type { Code } from '../../core/ports/errors.js'

/** The errors of the four calls that are made (the service model of RDS), by the names that the SDK gives them. */
const codes: Readonly<Record<string, Code>> = {
  DBInstanceNotFoundFault: 'not_found',
  DBClusterNotFoundFault: 'not_found',
  // It is in a state in which it takes no change: stopped, being backed up, failing over.
  InvalidDBInstanceStateFault: 'held',
  InvalidDBClusterStateFault: 'held',
  // The service does not take the password: nothing else in these calls comes from us.
  InvalidParameterValue: 'rejected',
  InvalidParameterCombination: 'target_denied',
}

/** Returns the code of a RotationError as it is. The errors of RDS come before those that any service of AWS may answer. */
export const classify = (cause: unknown): Code => classifyAws(cause, codes)
/** Whether there is no such instance or cluster; a RotationError with that code counts, too. */
export const isNotFound = (cause: unknown): boolean => classify(cause) === 'not_found' && nameOf(cause) !== ''
