import * as v from 'valibot'
import { RotationError } from './errors.js'
import type { Consumer } from './ports/notifier.js'

/** Reads a consumer's settings by their form, with defaults. bad_config names the consumer and the field, and quotes nothing. */
export function settingsOf<S extends v.GenericSchema>(form: S, { key, settings }: Pick<Consumer, 'key' | 'settings'>): v.InferOutput<S> {
  const result = v.safeParse(form, JSON.parse(settings.reveal()))
  if (result.success) return result.output
  const where = v.getDotPath(result.issues[0]) ?? 'its top'
  throw new RotationError('bad_config', `The consumer ${key} is misconfigured at ${where}.`, {
    field: `consumers.${key}`,
    next: 'Correct the configuration secret; keyturn config check shows what is wrong.',
  })
}
