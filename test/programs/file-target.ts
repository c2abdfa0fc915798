import { readFile, rename, writeFile } from 'node:fs/promises'
import { assertInTime, RotationError } from '../../shared/core/errors.js'
import { defaultRule, generatePassword } from '../../shared/core/password.js'
import type { AnyRotator, Rotator } from '../../shared/core/ports/rotator.js'
import type { CredentialId } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'

interface Value {
  readonly password: SecretText
}

/** A target of one account whose password is a file: it outlives the process that rotates, as a database would. */
export function fileTarget(path: string): AnyRotator {
  const login = async ({ password }: Value): Promise<boolean> => (await readFile(path, 'utf8')) === password.reveal()
  const rotator: Rotator<Value> = {
    about: { kind: 'file-target', title: 'a password in a file', type: 'other', strategies: ['replace'], policy: [] },
    traits: { outside: true, slots: () => 1, propagates: false, rollback: () => 'reapply' },
    parse: (value) => ({ password: new SecretText((JSON.parse(value.reveal()) as { password: string }).password) }),
    render: (_shape, next) => new SecretText(JSON.stringify({ password: next.password.reveal() })),
    identify: () => 'account' as CredentialId,
    check: () => {},
    propose: ({ env }) => ({ password: new SecretText(generatePassword(defaultRule, env.random)) }),
    apply: async (context, pending) => {
      const { current } = context
      if (current && (await login(current))) {
        assertInTime(context, 'the password was set')
        await writeFile(`${path}.new`, pending.password.reveal())
        await rename(`${path}.new`, path)
      } else if (!(await login(pending))) {
        throw new RotationError('target_auth', 'No known password is accepted.', { next: 'Look at the file.' })
      }
      return { done: true }
    },
    accepted: (_context, value) => login(value),
    verify: async (_context, pending) => {
      if (await login(pending)) return []
      throw new RotationError('target_auth', 'The pending password is refused.', { next: 'Look at the file.' })
    },
    retire: async () => ({ done: true }),
    classify: () => 'internal',
  }
  return rotator
}
