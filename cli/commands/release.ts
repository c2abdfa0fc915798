import { Command } from 'commander'
import { RotationError } from '../../shared/core/errors.js'
import { action } from '../context.js'

export const release = (): Command =>
  new Command('release')
    .description('stop managing a secret: take policy, marks and journal away and leave its value as it is')
    .argument('<ref>', 'which secret')
    .addHelpText('after', '\nExample:\n  keyturn release file:db')
    .action(
      action(async ({ app, output }, refText: string) => {
        const store = await app.store(refText)
        const ref = await store.resolve(refText)
        const { pending, journal, loose } = await store.describe(ref)
        const open = journal?.rotation !== undefined && journal.rotation.published === undefined
        if (pending?.hasValue || loose.length > 0 || open) {
          throw new RotationError('held', `${ref.shown} has a rotation that is not finished: its value may be set at the target already.`, {
            field: 'ref',
            next: `Finish it first: keyturn rotate ${ref.shown} --resume, or keyturn recover ${ref.shown}.`,
          })
        }
        const waiting = (journal?.retiring ?? []).map(({ id }) => id)
        await store.release(ref)
        const left = waiting.length > 0 ? ` Still valid at the target, and nobody retires them now: ${waiting.join(', ')}.` : ''
        output.result({ ref: ref.shown, notRetired: waiting }, [`${ref.shown} is not managed any more; its value stays.${left}`])
      }),
    )
