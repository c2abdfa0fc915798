import type { Policy } from './words.js'

/** What a kind of credential adds to a deployment. */
export interface DeployedMore {
  /** Lists that the deployment takes by name, such as projects in which something is granted. */
  readonly variables: Readonly<Record<string, readonly string[]>>
  /** Interfaces of the platform that must be enabled before a secret is adopted. */
  readonly services: readonly string[]
}

/** What a deployment is asked for. */
export interface DeploymentWish {
  /** The secrets that it rotates, all of one store; at least one. */
  readonly refs: readonly string[]
  /** Where the functions are. */
  readonly region: string
  /** The resource group of the vaults, where the platform has such. */
  readonly group?: string
  /** How names begin that are unique in the world, where the platform has such. */
  readonly prefix?: string
  /** The folder, as a person at the command line names it. */
  readonly folder: string
  /** Who may ask the functions, as the platform writes it. Absent: nobody. */
  readonly invoker?: string
  /** The policy of each secret that has none yet. */
  readonly policy: Policy
  /** The configuration secret. */
  readonly configuration?: string
  /** What the rotator of such a policy adds; undefined: nothing. bad_policy. */
  moreFor(policy: Policy): Promise<DeployedMore | undefined>
}

/** A secret that is deployed for, with the policy that it has, or is to be adopted with. */
export interface DeployedSecret {
  readonly shown: string
  readonly policy: Policy
  readonly adopted: boolean
}

/** Files of the installation that become files of the folder: those whose names end like this. */
export interface Copied {
  readonly from: string
  readonly to: string
  readonly ending: string
}

/** The functions that are deployed, as the installation has them once they were built. */
export interface Built {
  /** A list of the kinds of rotators that are in them, as JSON. */
  readonly rotatorsFile: string
  /** The command that builds them, with the variable KEYTURN_ROTATORS. */
  readonly command: string
}

/** A folder that deploys Keyturn with a tool of the platform, and the commands that lead to a rotated secret. */
export interface Deployment {
  readonly secrets: readonly DeployedSecret[]
  /** Texts by their path in the folder. */
  readonly files: Readonly<Record<string, string>>
  readonly copied: readonly Copied[]
  readonly built: Built
  /** In the order in which a person types them. None of them holds a value. */
  readonly commands: readonly string[]
}

/** A store whose platform runs our functions. */
export interface Deployable {
  /**
   * Prepares a deployment for secrets that are there. It reads how each secret is set up, and no value, and it writes nothing. bad_event for secrets that one
   * deployment cannot have, and for a region or an invoker that is malformed; bad_config for secrets beside them that the functions cannot open; not_found.
   */
  prepareDeployment(wish: DeploymentWish): Promise<Deployment>
}
