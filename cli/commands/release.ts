import { Command } from 'commander'
import { action } from '../context.js'

/** Removes what Keyturn keeps beside a secret, and not its value. Lists the credentials that are still valid and that Keyturn will not retire. */
export const release = (): Command =>
  new Command('release')
    .description('stop managing a secret: remove policy, marks and journal, and leave its value as it is')
    .argument('<ref>', 'the secret, such as file:db')
    .addHelpText('after', '\nExample:\n  keyturn release file:db')
    .action(
      action(async ({ app, output }, refText: string) => {
        const store = await app.admin(refText)
        const ref = await store.resolve(refText)
        const { journal } = await store.describe(ref)
        const waiting = (journal?.retiring ?? []).map(({ id }) => id)
        await store.release(ref)
        const left = waiting.length > 0 ? ` Still valid at the target, and not retired by Keyturn any more: ${waiting.join(', ')}.` : ''
        output.result({ ref: ref.shown, notRetired: waiting }, [`${ref.shown} is no longer managed; its value stays.${left}`])
      }),
    )
