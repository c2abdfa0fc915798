import { WarmInstance } from '../../shared/app/instance.js'
import type { Environment } from '../../shared/app/platform.js'
import { type Given, openInstance } from './opened.js'

const timeoutSecondsDefault = 300

/** A warm instance of Cloud Run. */
export class Instance extends WarmInstance {
  readonly environment: Environment
  constructor(given: Given = {}) {
    const environment = given.environment ?? process.env
    super({
      open: () => openInstance(given, environment),
      holder: () => `gcp-${environment.K_REVISION ?? 'local'}`,
      timeoutMs: () => 1000 * (Number(environment.CLOUD_RUN_TIMEOUT_SECONDS) || timeoutSecondsDefault),
    })
    this.environment = environment
  }
}
