import { Command } from 'commander'
import { RotationError } from '../../shared/core/errors.js'
import { type Recovery, recover as recoverSecret } from '../../shared/lifecycle/rotation/recover.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { announceAfter } from '../announced.js'
import { action } from '../context.js'
import { type Json, type Output, showTime, table } from '../output.js'

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
        if (found.action.do === 'by hand') reportByHand(output, found)
        else output.result(foundJson(found), [...triedLines(found), ...actionLines(found)])
      }),
    )

const foundJson = ({ ref, tried, action: safe, done }: Recovery): { readonly [key: string]: Json | undefined } => ({
  ref: ref.shown,
  tried: tried.map(({ stage, version, id, works, why }) => ({ stage, version, id: id ?? null, works, why: why ?? null })),
  action: { do: safe.do, why: safe.why, ...(safe.do === 'restore' ? { version: safe.version } : {}) },
  done,
})

function triedLines({ tried }: Recovery): readonly string[] {
  const rows = tried.map(({ stage, version, id, works, createdAt }) => [stage, version, id ?? '-', works, showTime(createdAt)])
  return table([['STAGE', 'VERSION', 'CREDENTIAL', 'TARGET', 'CREATED'], ...rows])
}

function actionLines({ ref, action: safe, done }: Recovery): readonly string[] {
  const line = `${done ? 'Done' : 'Safe'}: ${safe.do}; ${sentenceOf(safe.why)}`
  if (done || safe.do === 'nothing') return [line]
  return [line, `Carry it out with: keyturn recover ${ref.shown} --yes`]
}

const sentenceOf = (text: string): string => `${text.replace(/\.$/, '')}.`

/** Fails with stuck: only a person can act. The table goes to stderr. */
function reportByHand(output: Output, found: Recovery): void {
  for (const line of triedLines(found)) output.note(line)
  const { shown } = found.ref
  const error = new RotationError('stuck', `${shown}: ${sentenceOf(found.action.why)}`, {
    next: `Set a stored password at the target (keyturn get ${shown} --output-file shows the current one), then run keyturn recover ${shown} again.`,
  })
  output.failure(error, foundJson(found))
}
