import { app, type EventGridHandler } from '@azure/functions'
import { readEvents } from './events.js'
import type { Given } from './opened.js'

/** Versions that were published, by us or by anybody: consumers are told by way of the queue. Staging places ask for nothing. */
export const createHandler = (given?: Given): EventGridHandler<unknown> =>
  readEvents(given, 'published', ({ version, at }) => ({ action: 'announce', at, cause: `event ${version}` }))

export const register = (): void => app.eventGrid('propagate', { handler: createHandler() })
