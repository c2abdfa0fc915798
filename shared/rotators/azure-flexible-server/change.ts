import type { Env } from '../../core/ports/env.js'
import type { Change } from '../control-plane/apply.js'
import { notSetError } from '../control-plane/errors.js'
import { ManagementApi, type ServerOperation } from './api.js'
import { refusedPasswordError } from './errors.js'
import { commandFor, shownPlace } from './policy.js'
import { assertKeepsRule } from './rule.js'
import { isReady, lookAt } from './server.js'
import type { FlexibleValue } from './value.js'

/** The change of the password that a value names, at its server. */
export function changeOf(env: Env, value: FlexibleValue): Change<ServerOperation> {
  const { login, place } = value
  const api = new ManagementApi(env, place)
  return {
    look: async () => isReady(await lookAt(api, value), value),
    send: async () => {
      assertKeepsRule(login.password)
      return api.setPassword(login.user, login.password)
    },
    see: (operation) => api.operation(operation),
    failedError: (failure) =>
      failure.isRefusal
        ? refusedPasswordError(place, login.user, failure.code)
        : notSetError(shownPlace(place), login.user, failure, 'the activity log of the server (az monitor activity-log list)'),
    logged: { server: place.name },
    byHand: `${commandFor(place)} update --admin-password`,
  }
}
