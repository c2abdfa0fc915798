import { Command } from 'commander'
import { RotationError } from '../../shared/core/errors.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { namedBy } from '../../shared/lifecycle/secret/open.js'
import { announceAfter, announcedJson } from '../announced.js'
import { action } from '../context.js'
import { rewroteLine } from '../trial-lines.js'

interface RollbackOptions {
  readonly reason: string
  readonly again?: boolean
  readonly rotator?: string
}

/** Publishes the previous credential again, as a new version, and announces it. bad_event for an empty reason. */
export const rollback = (): Command =>
  new Command('rollback')
    .description('publish the previous credential again, as a new version; refused once it is retired')
    .argument('<ref>', 'the secret, such as file:db')
    .option('--rotator <kind>', 'kind of credential, where neither the policy nor any version says it')
    .option('--again', 'also after a rollback: publishes what that rollback replaced')
    .requiredOption('--reason <text>', 'the reason, for the audit log; never a value')
    .addHelpText('after', '\nExample:\n  keyturn rollback file:db --reason "the new login lacks a grant"')
    .action(
      action(async ({ app, output }, refText: string, { reason, again, rotator }: RollbackOptions) => {
        if (reason === '')
          throw new RotationError('bad_event', 'A rollback needs a reason.', { field: 'reason', next: 'Add --reason "…".' })
        const deps = await namedBy(await app.deps(refText), refText, rotator)
        const result = await rotate(deps, {
          kind: 'rollback',
          ref: refText,
          at: app.env.now(),
          reason,
          ...(again ? { again: true as const } : {}),
        })
        const pass = await announceAfter(deps, refText, output)
        const { ref, outcome, version, previous, rewrote } = result
        output.result(
          {
            ref: ref.shown,
            outcome,
            version: version ?? null,
            previous: previous ?? null,
            rewrote: rewrote ?? null,
            ...announcedJson(pass),
          },
          [
            `${ref.shown} is rolled back: version ${version} is current and holds the previous credential.`,
            ...(rewrote === undefined ? [] : [`It ${rewroteLine(rewrote)}.`]),
          ],
        )
      }),
    )
