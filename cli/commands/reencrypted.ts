import { Command } from 'commander'
import { reencrypted as noteReencrypted } from '../../shared/lifecycle/retirement/reencrypted.js'
import { action } from '../context.js'

/** Notes that no data needs an older key. Repeatable. held while a required consumer may still use the key, bad_event if it is not kept. */
export const reencrypted = (): Command =>
  new Command('reencrypted')
    .description('note that no data is encrypted with an older key of a keyring any more; the next rotation removes the key')
    .argument('<ref>', 'the secret, such as file:data-key')
    .requiredOption('--key <id>', 'id of the key, as status shows it')
    .addHelpText('after', '\nExample:\n  keyturn reencrypted file:data-key --key 9f2c41d07ab3')
    .action(
      action(async ({ app, output }, refText: string, { key }: { readonly key: string }) => {
        const { ref, id, outcome } = await noteReencrypted(await app.deps(refText), refText, key)
        output.result({ ref: ref.shown, id, outcome }, [
          `${id} of ${ref.shown} is ${outcome}: the next rotation removes it from the value.`,
        ])
      }),
    )
