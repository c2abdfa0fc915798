import type { DeployedMore } from '../../core/ports/deployment.js'
import type { Policy } from '../../core/ports/words.js'
import { placeIn, shownPlace } from './policy.js'

/** The server whose password the functions are granted to set. Whoever has one has its interface registered. bad_policy. */
export const deploys = (policy: Policy): DeployedMore => ({
  variables: { flexible_servers: [shownPlace(placeIn(policy))] },
  services: [],
})
