import { Command } from 'commander'
import { RotationError } from '../../shared/core/errors.js'
import { nextFor } from '../../shared/core/remedies.js'
import { verifyCurrent } from '../../shared/lifecycle/secret/adopt.js'
import { action } from '../context.js'

/** Logs in with the current value and writes nothing. target_auth if the target refuses it. */
export const verify = (): Command =>
  new Command('verify')
    .description('log in once with the current value; nothing is written')
    .argument('<ref>', 'the secret, such as file:db')
    .addHelpText('after', '\nExample:\n  keyturn verify file:db')
    .action(
      action(async ({ app, output }, refText: string) => {
        const { ref, rotator, accepted } = await verifyCurrent(await app.deps(refText), refText)
        if (!accepted)
          throw new RotationError('target_auth', `The target refuses the current value of ${ref.shown}.`, {
            next: nextFor('target_auth', ref.shown),
          })
        output.result({ ref: ref.shown, rotator, accepted }, [`${ref.shown}: the current value logs in (${rotator}).`])
      }),
    )
