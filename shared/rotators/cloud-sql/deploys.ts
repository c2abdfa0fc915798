import type { DeployedMore } from '../../core/ports/deployment.js'
import type { Policy } from '../../core/ports/words.js'
import { placeIn } from './policy.js'

/** The project of the instance, where the functions are granted what sets a password, and the Admin API. bad_policy. */
export const deploys = (policy: Policy): DeployedMore => ({
  variables: { cloud_sql_projects: [placeIn(policy).project] },
  services: ['sqladmin.googleapis.com'],
})
