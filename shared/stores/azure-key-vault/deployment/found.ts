import type { DeployedMore, DeployedSecret } from '../../../core/ports/deployment.js'
import type { SecretName } from '../names.js'
import { vaultName } from '../permissions/scopes.js'

/** A secret of a deployment, as it was found. */
export interface Found extends DeployedSecret {
  readonly name: SecretName
  readonly administrator?: SecretName
  /** What its rotator adds. */
  readonly more?: DeployedMore
}

/** What holds for the whole deployment. */
export interface Place {
  readonly region: string
  /** The resource group of the vaults. */
  readonly group: string
  readonly prefix: string
  readonly folder: string
  readonly configuration?: SecretName
}

/** Vaults by the names that their subscription knows, each once. */
export const vaultsOf = (names: readonly SecretName[]): readonly string[] => [...new Set(names.map(({ host }) => vaultName(host)))].sort()
