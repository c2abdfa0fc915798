import type { Rotator } from '../core/ports/rotator.js'
import { AdminApi } from './cloud-sql/api.js'
import { changeOf } from './cloud-sql/change.js'
import { lookAt, lookAtInstance } from './cloud-sql/instance.js'
import { accountHostKey, answerer, instanceKey } from './cloud-sql/policy.js'
import { type CloudSqlValue, parseCloudSql } from './cloud-sql/value.js'
import { provenByKey } from './control-plane/policy.js'
import { controlPlaneRotator } from './control-plane/rotator.js'
import { databaseRotators } from './sql/inner.js'
import type { DatabaseLogin } from './sql/login.js'
import { endpointsKey, serverKey } from './sql/places.js'
import { atKey, lengthKey, sessionsKey } from './sql/policy.js'

/** The password of a user of Cloud SQL, set through the Admin API. Where the value names no engine, a login follows only if the instance has one for it. */
const cloudSqlOver = (inner: Rotator<DatabaseLogin>): Rotator<CloudSqlValue> =>
  controlPlaneRotator(inner, {
    kind: 'cloud-sql',
    title: 'users of Cloud SQL (PostgreSQL, MySQL), through its Admin API; tested against a double of it',
    policy: [instanceKey, provenByKey(answerer), accountHostKey, lengthKey(64), sessionsKey, atKey, serverKey, endpointsKey],
    answerer,
    restarts: 'the instance',
    parse: (value, policy) => parseCloudSql(inner, value, policy),
    change: changeOf,
    look: async (env, value) => {
      const api = new AdminApi(env, value.place)
      if (value.provenBy === 'answer') await lookAt(api, value)
      else if (value.engine === undefined) await lookAtInstance(api, value)
    },
  })

/** Makes the rotator, and loads the driver of the engine with it. */
export const create = async () => cloudSqlOver(await databaseRotators.postgres())
