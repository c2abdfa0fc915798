import type { Env } from '../../core/ports/env.js'
import type { Change } from '../control-plane/apply.js'
import { notSetError } from '../control-plane/errors.js'
import { AdminApi, type Instance, type NamedOperation } from './api.js'
import { refusedPasswordError } from './errors.js'
import { accountHostFor, isReady, lookAt } from './instance.js'
import { shownPlace } from './policy.js'
import type { CloudSqlValue } from './value.js'

/** The change of the password that a value names, at its instance. */
export function changeOf(env: Env, value: CloudSqlValue): Change<NamedOperation> {
  const { login, place } = value
  const api = new AdminApi(env, place)
  const shown = shownPlace(place)
  let seen: Instance | undefined
  const look = async (): Promise<Instance> => {
    seen = await lookAt(api, value)
    return seen
  }
  return {
    look: async () => isReady(await look()),
    send: async () => api.setPassword(login.user, accountHostFor(seen ?? (await look()), value), login.password),
    see: ({ name }) => api.operation(name),
    failedError: (failure) =>
      failure.isRefusal
        ? refusedPasswordError(login.user, shown, failure.code)
        : notSetError(shown, login.user, failure, 'gcloud sql operations list'),
    logged: { instance: place.instance },
    byHand: 'gcloud sql users set-password',
  }
}
