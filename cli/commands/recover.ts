import { Command } from 'commander'
import { RotationError } from '../../shared/core/errors.js'
import { recover as recoverSecret } from '../../shared/lifecycle/rotation/recover.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { announceAfter } from '../announced.js'
import { action } from '../context.js'
import { showTime, table } from '../output.js'

/** Finds out which stored versions the target accepts; --yes carries out the safe action and announces it. stuck if only a person can act. */
export const recover = (): Command =>
  new Command('recover')
    .description('try every stored version once, show which ones the target accepts and the one safe action; --yes carries it out')
    .argument('<ref>', 'the secret, such as file:db')
    .option('--yes', 'carry out the safe action')
    .addHelpText('after', '\nExample:\n  keyturn recover file:db\n  keyturn recover file:db --yes')
    .action(
      action(async ({ app, output }, refText: string, { yes }: { readonly yes?: boolean }) => {
        const deps = await app.deps(refText)
        const found = await recoverSecret(deps, await app.admin(refText), refText, yes === true)
        if (found.done && found.action.do === 'resume') await rotate(deps, { kind: 'resume', ref: refText, at: app.env.now() })
        if (found.done) await announceAfter(deps, refText, output)
        const { ref, tried, action: safe, done } = found
        const rows = tried.map(({ stage, version, id, works, createdAt }) => [stage, version, id ?? '-', works, showTime(createdAt)])
        const next = done || safe.do === 'nothing' || safe.do === 'by hand' ? [] : [`Carry it out with: keyturn recover ${ref.shown} --yes`]
        const json = {
          ref: ref.shown,
          tried: tried.map(({ stage, version, id, works, why }) => ({ stage, version, id: id ?? null, works, why: why ?? null })),
          action: { do: safe.do, why: safe.why, ...(safe.do === 'restore' ? { version: safe.version } : {}) },
          done,
        }
        const lines = [
          ...table([['STAGE', 'VERSION', 'CREDENTIAL', 'TARGET', 'CREATED'], ...rows]),
          `${done ? 'Done' : 'Safe'}: ${safe.do}; ${safe.why.replace(/\.$/, '')}.`,
          ...next,
        ]
        if (safe.do === 'by hand') {
          for (const line of lines.slice(0, -1)) output.note(line)
          const next = `Set a stored password at the target (keyturn get ${ref.shown} --output-file shows the current one), then run keyturn recover ${ref.shown} again.`
          process.exitCode = output.failure(new RotationError('stuck', `${ref.shown}: ${safe.why.replace(/\.$/, '')}.`, { next }), json)
          return
        }
        output.result(json, lines)
      }),
    )
