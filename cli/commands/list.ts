import { Command } from 'commander'
import { isOpen } from '../../shared/core/claims.js'
import { messageOf, RotationError } from '../../shared/core/errors.js'
import { action } from '../context.js'
import { type Json, showTime, table } from '../output.js'

export const list = (): Command =>
  new Command('list')
    .description('the secrets of a store; no login, no value')
    .option('--store <kind>', 'which store', 'file')
    .option('--managed', 'only those with a policy')
    .addHelpText('after', '\nExample:\n  keyturn list --managed')
    .action(
      action(async ({ app, output }, options: { readonly store: string; readonly managed?: boolean }) => {
        const store = await app.admin(`${options.store}:any`)
        const secrets: { readonly ref: string; readonly rotator: string | null; readonly state: string; readonly publishedAt: string }[] =
          []
        const failed: { readonly ref: string; readonly cause: unknown }[] = []
        const listing = store.list({ managed: options.managed === true }, (ref, cause) => void failed.push({ ref, cause }))
        for await (const state of listing) {
          const phase = state.journal?.code ?? (isOpen(state) ? 'open' : 'idle')
          secrets.push({
            ref: state.ref.shown,
            rotator: state.policy['keyturn-rotator'] ?? null,
            state: phase,
            publishedAt: showTime(state.publishedAt),
          })
        }
        secrets.sort((a, b) => (a.ref < b.ref ? -1 : 1))
        const rows = secrets.map(({ ref, rotator, state, publishedAt }) => [ref, rotator ?? '-', state, publishedAt])
        const none = failed.length > 0 ? [] : ['No secrets yet. Next: keyturn put file:db --file db.json']
        const lines = rows.length === 0 ? none : table([['SECRET', 'ROTATOR', 'STATE', 'PUBLISHED'], ...rows])
        const [first] = failed
        if (first === undefined) return output.result({ secrets: secrets satisfies Json }, lines)
        if (rows.length === 0) throw first.cause
        if (!output.json) output.result({}, lines)
        const { cause } = first
        const known = cause instanceof RotationError ? cause : undefined
        const next = known?.next ?? 'keyturn doctor examines each.'
        const why = `${failed.length} could not be read; the first: ${first.ref}: ${messageOf(cause)}`
        const unread = failed.map((one) => ({ ref: one.ref, why: messageOf(one.cause) }))
        process.exitCode = output.failure(new RotationError(known?.code ?? 'internal', why, { field: first.ref, next }), {
          secrets,
          unread,
        })
      }),
    )
