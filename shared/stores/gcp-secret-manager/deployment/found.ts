import type { DeployedMore, DeployedSecret } from '../../../core/ports/deployment.js'
import type { SecretName } from '../names.js'

/** A secret of a deployment, as it was found. */
export interface Found extends DeployedSecret {
  readonly name: SecretName
  readonly destroysLater: boolean
  /** The administrator's secret, by its full name. */
  readonly administrator?: string
  /** What its rotator adds. */
  readonly more?: DeployedMore
}

/** What holds for the whole deployment. */
export interface Place {
  /** The id, not the number. */
  readonly project: string
  readonly region: string
  readonly folder: string
  readonly invoker?: string
  /** The configuration secret, by its full name. */
  readonly configuration?: string
}
