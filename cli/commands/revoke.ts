import { Command } from 'commander'
import { RotationError } from '../../shared/core/errors.js'
import { revoke as revokePrevious } from '../../shared/lifecycle/retirement/revoke.js'
import { action } from '../context.js'

/** Ends the previous credential without asking a consumer. bad_event without one or without a reason, held while a rotation is open, stuck. */
export const revoke = (): Command =>
  new Command('revoke')
    .description('end the previous credential and its sessions at once, even if consumers still use it')
    .argument('<ref>', 'the secret, such as file:db')
    .requiredOption('--now', 'confirm that no consumer is asked first')
    .requiredOption('--reason <text>', 'the reason, for the audit log; never a value')
    .addHelpText('after', '\nExample:\n  keyturn revoke file:db --now --reason "the old password is in a ticket"')
    .action(
      action(async ({ app, output }, refText: string, { reason }: { readonly reason: string }) => {
        if (reason === '')
          throw new RotationError('bad_event', 'A revocation needs a reason.', { field: 'reason', next: 'Add --reason "…".' })
        const { id, state, why } = await revokePrevious(await app.deps(refText), refText, reason)
        output.result({ ref: refText, id, state, why }, [`${id}  ${state}: ${why}`])
      }),
    )
