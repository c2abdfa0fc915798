import { app, type EventGridHandler } from '@azure/functions'
import { readEvents } from './events.js'
import type { Given } from './opened.js'

/**
 * Notices that a secret is near its end: each becomes work at once, so that the service gets its answer in time. Whether the version that the notice names is
 * still the current one is looked at when the work is done.
 */
export const createHandler = (given?: Given): EventGridHandler<unknown> =>
  readEvents(given, 'ends', ({ version, at }) => ({ action: 'start', at, version, cause: `notice of ${version}` }))

export const register = (): void => app.eventGrid('rotate', { handler: createHandler() })
