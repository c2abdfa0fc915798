import { randomBytes } from 'node:crypto'
import { optional } from './optional.js'
import type { Env } from './ports/env.js'

/** `log` replaces the JSON lines on stderr, `clock` the system's clock; `cancelled` ends every sleep early. */
export interface SystemEnvOptions extends Pick<Env, 'ca' | 'hostCa' | 'password'> {
  readonly clock?: Pick<Env, 'now' | 'sleep'>
  readonly log?: Env['log']
  readonly cancelled?: AbortSignal
}

/** The real clock, the system's random source, and a log of JSON lines on stderr. Nothing else in the project reads time or chance. */
export function systemEnv(options: SystemEnvOptions = {}): Env {
  const cancelled = options.cancelled ?? new AbortController().signal
  return {
    now: () => Date.now(),
    sleep: (ms, how) =>
      new Promise((resolve) => {
        if (how === 'to the end') return void setTimeout(resolve, ms)
        if (cancelled.aborted) return resolve()
        const done = () => {
          clearTimeout(timer)
          cancelled.removeEventListener('abort', done)
          resolve()
        }
        const timer = setTimeout(done, ms)
        cancelled.addEventListener('abort', done, { once: true })
      }),
    random: (bytes) => randomBytes(bytes),
    log: options.log ?? ((code, fields) => void process.stderr.write(`${JSON.stringify({ log: code, ...fields })}\n`)),
    cancelled,
    ...options.clock,
    ...settingsOf(options),
  }
}

/** The members that do not change while a process lives. */
export const settingsOf = ({ ca, hostCa, password }: Pick<Env, 'ca' | 'hostCa' | 'password'>): Pick<Env, 'ca' | 'hostCa' | 'password'> => ({
  ...optional('ca', ca),
  ...optional('hostCa', hostCa),
  ...optional('password', password),
})
