import { app, type TimerHandler } from '@azure/functions'
import { answerError } from '../../shared/app/function-log.js'
import { lookAtFleet } from '../../shared/app/look-report.js'
import { running } from './ending.js'
import { Instance } from './instance.js'
import type { Given } from './opened.js'

/** The look of the fleet, by a timer. It logs in nowhere; what is due goes to the queue. A look that failed is made again by the next one. */
export function createHandler(given?: Given): TimerHandler {
  const instance = new Instance(given)
  return () =>
    running.until(async () => {
      try {
        const { deps, queue } = instance.begin()
        await lookAtFleet(deps, queue)
      } catch (cause) {
        throw answerError(cause, instance.env)
      }
    })
}

/** Seconds, minutes, hours, days, months, days of the week: every five minutes. */
const scheduleDefault = '0 */5 * * * *'

export const register = (): void =>
  app.timer('sweep', { schedule: process.env.KEYTURN_SCHEDULE || scheduleDefault, handler: createHandler() })
