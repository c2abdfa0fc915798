import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Env } from '../../core/ports/env.js'
import type { GcpOptions } from '../gcp-secret-manager.js'
import { readLocations } from './names.js'

const locationsField = 'KEYTURN_GCP_LOCATIONS'

/**
 * Reads GOOGLE_CLOUD_PROJECT and KEYTURN_GCP_LOCATIONS. The vendor's client finds the rest. bad_config for what is not a location, and where that client
 * would log every payload.
 */
export function gcpOptions(environment: Readonly<Record<string, string | undefined>>, env: Env): GcpOptions {
  if (environment.GOOGLE_SDK_NODE_LOGGING) throw loggingError()
  const locations = readLocations(environment[locationsField] ?? '', locationsField)
  return { env, ...optional('project', environment.GOOGLE_CLOUD_PROJECT || undefined), locations }
}

const loggingError = (): RotationError =>
  new RotationError('bad_config', "With GOOGLE_SDK_NODE_LOGGING Google's client writes every value to the log.", {
    field: 'GOOGLE_SDK_NODE_LOGGING',
    next: 'Unset it.',
  })
