import { Command } from 'commander'
import { adopt as adoptSecret } from '../../shared/lifecycle/secret/adopt.js'
import { action } from '../context.js'
import { keyValues } from '../key-values.js'

/** Logs in once with the current value, and only then writes the policy. target_auth where the target refuses the login. */
export const adopt = (): Command =>
  new Command('adopt')
    .description('take a secret as it is: log in once with its value, then write its policy; nothing is changed at the target')
    .argument('<ref>', 'which secret')
    .argument('[policy...]', 'key=value, such as strategy=alternate grace=2h')
    .option('--rotator <kind>', 'what kind of credential it is; inferred where the value says it')
    .addHelpText('after', '\nExample:\n  keyturn adopt file:db strategy=alternate pair="app_a app_b" admin=file:pg-admin')
    .action(
      action(async ({ app, output }, refText: string, words: readonly string[], options: { readonly rotator?: string }) => {
        const patch = { ...(options.rotator === undefined ? {} : { 'keyturn-rotator': options.rotator }), ...keyValues(words) }
        const { ref, rotator } = await adoptSecret(await app.deps(refText), await app.admin(refText), refText, patch)
        output.result({ ref: ref.shown, rotator, accepted: true }, [
          `${ref.shown} is a ${rotator} credential that works. Next: keyturn rotate ${ref.shown}`,
        ])
      }),
    )
