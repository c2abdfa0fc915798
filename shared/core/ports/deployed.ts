import type { RotationError } from '../errors.js'
import type { Env } from './env.js'

/** What was found of one function that is deployed: whether everybody may call it. */
export interface DeployedFinding {
  /** As the person named it. */
  readonly name: string
  /** unknown: it could not be asked. */
  readonly level: 'private' | 'public' | 'unknown'
  /** Absent where nobody may call it to whom that was not granted. */
  readonly error?: RotationError
}

/** Asks the platform who may call the functions that the environment names. It changes nothing, and throws nothing of ours. */
export type InspectDeployed = (environment: Readonly<Record<string, string | undefined>>, env: Env) => AsyncIterable<DeployedFinding>
