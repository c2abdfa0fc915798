import { settingsOf } from '../../core/env.js'
import type { Env } from '../../core/ports/env.js'
import type { Guard } from './guarded.js'
import type { Redactor } from './redact.js'

export { guardAdmin } from './admin.js'
export type { AuditRecord, AuditSink } from './audit.js'
export { type Guard, guarded } from './guarded.js'
export { guardNotifier } from './notifier.js'
export { createRedactor, type Redactor } from './redact.js'
export { guardRotator } from './rotator.js'
export { guardStarter, guardSteps } from './service.js'
export { guardStore } from './store.js'

/** An environment whose log passes the redactor. Rotators get this one, never the bare one. */
export const guardEnv = (env: Env, redactor: Redactor): Env => ({
  now: () => env.now(),
  sleep: (ms, how) => env.sleep(ms, how),
  random: (bytes) => env.random(bytes),
  cancelled: env.cancelled,
  ...settingsOf(env),
  log: (code, fields) => {
    const clean = (value: unknown) => (typeof value === 'string' ? redactor.clean(value) : value)
    const entries = Object.entries(fields).map(([key, value]) => [key, clean(value)])
    env.log(code, Object.fromEntries(entries))
  },
})

/** Makes a guard whose log is redacted, too. */
export const createGuard = (parts: Guard): Guard => ({ ...parts, env: guardEnv(parts.env, parts.redactor) })
