import { Command } from 'commander'
import { action } from '../context.js'

/** Removes what Keyturn keeps beside a secret and leaves its value; lists the credentials that are valid still and that nobody retires now. */
export const release = (): Command =>
  new Command('release')
    .description('stop managing a secret: take policy, marks and journal away and leave its value as it is')
    .argument('<ref>', 'which secret')
    .addHelpText('after', '\nExample:\n  keyturn release file:db')
    .action(
      action(async ({ app, output }, refText: string) => {
        const store = await app.admin(refText)
        const ref = await store.resolve(refText)
        const { journal } = await store.describe(ref)
        const waiting = (journal?.retiring ?? []).map(({ id }) => id)
        await store.release(ref)
        const left = waiting.length > 0 ? ` Still valid at the target, and nobody retires them now: ${waiting.join(', ')}.` : ''
        output.result({ ref: ref.shown, notRetired: waiting }, [`${ref.shown} is not managed any more; its value stays.${left}`])
      }),
    )
