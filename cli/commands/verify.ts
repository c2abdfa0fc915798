import { Command } from 'commander'
import { type Looked, lookError, shownLook, verifyCurrent } from '../../shared/lifecycle/secret/adopt.js'
import { action } from '../context.js'
import { showTime } from '../output.js'

/** Logs in with the current value and writes nothing. target_auth if the target refuses it; without a session, the code of the reason. */
export const verify = (): Command =>
  new Command('verify')
    .description('log in once with the current value; nothing is written')
    .argument('<ref>', 'the secret, such as file:db')
    .addHelpText('after', '\nExample:\n  keyturn verify file:db')
    .action(
      action(async ({ app, output }, refText: string) => {
        const looked = await verifyCurrent(await app.deps(refText), refText)
        const { ref, rotator } = looked
        const wrong = lookError(looked)
        if (wrong !== undefined) output.failure(wrong, lookedJson(looked))
        else
          output.result({ ...lookedJson(looked), ...endJson(looked) }, [
            `${ref.shown}: the current value ${shownLook(looked)} (${rotator}).`,
            ...expiryLines(looked),
          ])
      }),
    )

/** What a login showed, as `verify` and `adopt` say it: a password that is accepted is not yet a login. */
export const lookedJson = ({ ref, rotator, proof, passwordAccepted, logsIn }: Looked) => ({
  ref: ref.shown,
  rotator,
  proof,
  passwordAccepted,
  logsIn,
})

/** When the target itself ends the login that was seen. */
export const endJson = ({ end }: Looked) => ({ expiresAt: end === undefined ? null : showTime(end.at) })
/** What a person should know of that end. */
export const expiryLines = ({ expiry }: Looked): readonly string[] =>
  expiry === undefined ? [] : [`Warning: ${expiry.says}. ${expiry.next}`]
