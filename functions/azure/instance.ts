import { WarmInstance } from '../../shared/app/instance.js'
import type { Environment } from '../../shared/app/platform.js'
import { RotationError } from '../../shared/core/errors.js'
import { listenToEnd } from './ending.js'
import { type Given, openInstance } from './opened.js'

/** The setting that overrides functionTimeout of host.json, as the host reads it: HH:MM:SS. The archive's own host.json says the default. */
const timeoutField = 'AzureFunctionsJobHost__functionTimeout'
export const timeoutSecondsDefault = 600

/** A warm worker of a function app. */
export class Instance extends WarmInstance {
  readonly environment: Environment
  constructor(given: Given = {}) {
    const environment = given.environment ?? process.env
    super({
      open: () => openInstance(given, environment),
      holder: () => `azure-${environment.WEBSITE_SITE_NAME ?? 'local'}`,
      timeoutMs: () => 1000 * secondsOf(environment[timeoutField]),
    })
    this.environment = environment
    listenToEnd()
  }
}

const secondsMin = 60
const unlimited = '-1'

/** bad_config for what the host does not read, and for less than a rotation needs. */
function secondsOf(text: string | undefined): number {
  if (!text || text === unlimited) return timeoutSecondsDefault
  const [, hours, minutes, seconds] = /^(\d{1,2}):(\d{2}):(\d{2})$/.exec(text) ?? []
  const all = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
  if (all >= secondsMin) return all
  throw new RotationError('bad_config', `${timeoutField} must be HH:MM:SS, at least 00:01:00.`, {
    field: timeoutField,
    next: "Correct the function app's settings.",
  })
}
