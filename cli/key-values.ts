import { RotationError } from '../shared/core/errors.js'
import { prefix } from '../shared/core/policy/index.js'

/** `grace=2h` or `keyturn-grace=2h`; `grace=` removes the key. */
export function keyValues(words: readonly string[]): Readonly<Record<string, string | null>> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=')
      if (at < 1)
        throw new RotationError('bad_event', `"${word}" is not key=value.`, {
          field: 'policy',
          next: 'Write for example grace=2h; grace= removes the key.',
        })
      const name = word.slice(0, at)
      return [name.startsWith(prefix) ? name : prefix + name, word.slice(at + 1) || null]
    }),
  )
}
