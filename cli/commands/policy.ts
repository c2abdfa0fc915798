import { Command } from 'commander'
import { changePolicy } from '../../shared/lifecycle/secret/adopt.js'
import { action } from '../context.js'
import { keyValues } from '../key-values.js'

/** Shows a policy, or checks the changed policy as a whole and writes it. No login. bad_policy; bad_event for a word that is not key=value. */
export const policy = (): Command =>
  new Command('policy')
    .description('show or change the policy of a secret')
    .argument('<ref>', 'the secret, such as file:db')
    .argument('[policy...]', 'key=value sets a key, key= removes it; without any the policy is shown')
    .addHelpText('after', '\nExample:\n  keyturn policy file:db grace=2h window="sat sun 02:00-05:00 Europe/Berlin"')
    .action(
      action(async ({ app, output }, refText: string, words: readonly string[]) => {
        const store = await app.admin(refText)
        const ref = await store.resolve(refText)
        const change = async () => changePolicy(await app.deps(refText), store, refText, keyValues(words))
        const state = words.length === 0 ? await store.describe(ref) : await change()
        const lines = Object.entries(state.policy).map(([key, value]) => `${key}=${value}`)
        output.result({ ref: ref.shown, policy: state.policy }, lines.length > 0 ? lines : [`${ref.shown} has no policy.`])
      }),
    )
