import { Command } from 'commander'
import { optional } from '../../shared/core/optional.js'
import { adopt as adoptSecret, type Looked, shownLook } from '../../shared/lifecycle/secret/adopt.js'
import { action } from '../context.js'
import { keyValues } from '../key-values.js'
import { trialJson, trialLines } from '../trial-lines.js'
import { endJson, expiryLines, lookedJson } from './verify.js'

/** Logs in once with the current value, and only then writes the policy. target_auth if the target refuses it; without a session, the code of the reason. */
export const adopt = (): Command =>
  new Command('adopt')
    .description('start managing a secret: try what a rotation would write, log in once, then write the policy; no credential changes')
    .argument('<ref>', 'the secret, such as file:db')
    .argument('[policy...]', 'key=value, such as strategy=alternate grace=2h')
    .option('--rotator <kind>', 'kind of credential; inferred if the value names it')
    .addHelpText('after', '\nExample:\n  keyturn adopt file:db strategy=alternate pair="app_a app_b" admin=file:pg-admin')
    .action(
      action(async ({ app, output }, refText: string, words: readonly string[], options: { readonly rotator?: string }) => {
        const patch = { ...optional('keyturn-rotator', options.rotator), ...keyValues(words) }
        const [deps, admin] = [await app.deps(refText), await app.admin(refText)]
        let seen: Looked | undefined
        try {
          const looked = await adoptSecret(deps, admin, refText, patch, (one) => {
            seen = one
          })
          const { ref, rotator, trial, made } = looked
          output.result({ ...lookedJson(looked), ...endJson(looked), ...trialJson(trial), made: made ?? null }, [
            ...(made === undefined ? [] : [`${made}.`]),
            `${ref.shown} holds a ${rotator} credential that ${shownLook(looked)}. Next: keyturn rotate ${ref.shown}`,
            ...trialLines(trial),
            ...expiryLines(looked),
          ])
        } catch (cause) {
          if (seen === undefined) throw cause
          output.failure(cause, lookedJson(seen))
        }
      }),
    )
