import { Command } from 'commander'
import { RotationError } from '../../shared/core/errors.js'
import { optional } from '../../shared/core/optional.js'
import type { VersionId } from '../../shared/core/ports/words.js'
import { remedyByAnswer } from '../../shared/core/remedies.js'
import { type Recovery, recover as recoverSecret } from '../../shared/lifecycle/rotation/recover.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { namedBy } from '../../shared/lifecycle/secret/open.js'
import { announceAfter } from '../announced.js'
import { action } from '../context.js'
import { type Json, type Output, showTime, table } from '../output.js'

interface RecoverOptions {
  readonly yes?: boolean
  readonly after?: VersionId
  readonly rotator?: string
}

/** Finds out which stored versions the target accepts; --yes carries out the safe action and announces it. stuck if only a person can act. */
export const recover = (): Command =>
  new Command('recover')
    .description('try every stored version once, show which ones the target accepts and the one safe action; --yes carries it out')
    .argument('<ref>', 'the secret, such as file:db')
    .option('--yes', 'carry out the safe action')
    .option('--after <version>', 'continue behind this version, where an earlier recovery stopped')
    .option('--rotator <kind>', 'kind of credential, where neither the policy nor any version says it')
    .addHelpText('after', '\nExample:\n  keyturn recover file:db\n  keyturn recover file:db --yes')
    .action(
      action(async ({ app, output }, refText: string, options: RecoverOptions) => {
        const { yes, after, rotator } = options
        const deps = await namedBy(await app.deps(refText), refText, rotator)
        const found = await recoverSecret(deps, await app.admin(refText), refText, yes === true, optional('after', after))
        if (found.done && found.action.do === 'resume') await rotate(deps, { kind: 'resume', ref: refText, at: app.env.now() })
        if (found.done) await announceAfter(deps, refText, output)
        if (found.action.do === 'by hand') reportByHand(output, found, options)
        else output.result(foundJson(found), [...triedLines(found), ...actionLines(found, options)])
      }),
    )

const foundJson = ({ ref, tried, action: safe, done, left, after }: Recovery): { readonly [key: string]: Json | undefined } => ({
  ref: ref.shown,
  tried: tried.map(({ stage, version, id, works, why }) => ({ stage, version, id: id ?? null, works, why: why ?? null })),
  action: { do: safe.do, why: safe.why, ...(safe.do === 'restore' ? { version: safe.version } : {}) },
  done,
  left,
  after: after ?? null,
})

/** The command with what was asked for, to be carried out or continued. */
const commandFor = ({ ref }: Recovery, { after, rotator }: RecoverOptions): string =>
  [`keyturn recover ${ref.shown}`, ...(after ? [`--after ${after}`] : []), ...(rotator ? [`--rotator ${rotator}`] : [])].join(' ')

/** The command that continues with what was not tried; undefined where nothing was left. */
const commandToContinue = (found: Recovery, options: RecoverOptions): string | undefined =>
  found.after === undefined ? undefined : commandFor(found, { ...options, after: found.after })

/** How many versions were not tried, and why; nothing where all were. */
function leftText({ left, tried }: Recovery): string {
  const why = tried.find(({ skipped }) => skipped)?.why?.replace('not tried: ', '')
  const versions = left === 1 ? '1 version was' : `${left} versions were`
  return `${versions} not tried: ${why ?? 'one recovery tries a limited number of them'}`
}

function triedLines({ tried }: Recovery): readonly string[] {
  const rows = tried.map(({ stage, version, id, works, createdAt }) => [stage, version, id ?? '-', works, showTime(createdAt)])
  return table([['STAGE', 'VERSION', 'CREDENTIAL', 'TARGET', 'CREATED'], ...rows])
}

function actionLines(found: Recovery, options: RecoverOptions): readonly string[] {
  const { action: safe, done } = found
  const line = `${done ? 'Done' : 'Safe'}: ${safe.do}; ${sentenceOf(safe.why)}`
  if (done || safe.do === 'nothing') return [line]
  return [line, `Carry it out with: ${commandFor(found, options)} --yes`]
}

const sentenceOf = (text: string): string => `${text.replace(/\.$/, '')}.`

/** Fails with stuck: only a person can act. The table goes to stderr. */
function reportByHand(output: Output, found: Recovery, options: RecoverOptions): void {
  for (const line of triedLines(found)) output.note(line)
  const { shown } = found.ref
  const next = commandToContinue(found, options)
  const toDo = found.proof === 'answer' ? remedyByAnswer.replace('<ref>', shown) : byHand(shown)
  const error = new RotationError('stuck', `${shown}: ${sentenceOf(found.action.why)}${next ? ` ${leftText(found)}.` : ''}`, {
    next: next ? `Continue with ${next}. ${toDo}` : toDo,
  })
  output.failure(error, foundJson(found))
}

const byHand = (shown: string): string =>
  `If you know the password that the target accepts: keyturn recover ${shown} --yes marks the secret as stuck, and then keyturn put ${shown} tries that password by one login before anything is written. Else set a stored one at the target (keyturn get ${shown} --output-file FILE shows the current one), then run keyturn recover ${shown} again.`
