import type { Rotator } from '../core/ports/rotator.js'
import { ManagementApi } from './azure-flexible-server/api.js'
import { changeOf } from './azure-flexible-server/change.js'
import { answerer, resourceKey } from './azure-flexible-server/policy.js'
import { assertKeepsRule, passwordLengthMax } from './azure-flexible-server/rule.js'
import { lookAt } from './azure-flexible-server/server.js'
import { type FlexibleValue, parseFlexible } from './azure-flexible-server/value.js'
import { provenByKey } from './control-plane/policy.js'
import { controlPlaneRotator } from './control-plane/rotator.js'
import { databaseRotators } from './sql/inner.js'
import type { DatabaseLogin } from './sql/login.js'
import { endpointsKey, serverKey } from './sql/places.js'
import { atKey, lengthKey, sessionsKey } from './sql/policy.js'

/**
 * The password of the administrator login of a flexible server, set through Azure Resource Manager: the platform sets that of no other login. The id of the
 * server says its engine, so that nothing has to be asked before a login.
 */
const flexibleServerOver = (inner: Rotator<DatabaseLogin>): Rotator<FlexibleValue> =>
  controlPlaneRotator(inner, {
    kind: 'azure-flexible-server',
    title:
      'administrators of Azure Database for PostgreSQL and MySQL (flexible server), through Azure Resource Manager; tested against a double of it',
    policy: [resourceKey, provenByKey(answerer), lengthKey(passwordLengthMax), sessionsKey, atKey, serverKey, endpointsKey],
    answerer,
    restarts: 'the server',
    parse: (value, policy) => parseFlexible(inner, value, policy),
    change: changeOf,
    look: async (env, value) => {
      if (value.provenBy === 'answer') await lookAt(new ManagementApi(env, value.place), value)
    },
    assertKeepsRule,
  })

/** Makes the rotator, and loads the driver of the engine with it. */
export const create = async () => flexibleServerOver(await databaseRotators.postgres())
