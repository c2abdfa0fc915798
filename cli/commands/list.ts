import { Command } from 'commander'
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
        const store = await app.store(`${options.store}:any`)
        const secrets: { readonly ref: string; readonly rotator: string | null; readonly state: string; readonly publishedAt: string }[] =
          []
        for await (const state of store.list({ managed: options.managed === true })) {
          const rotation = state.journal?.rotation
          const open = rotation !== undefined && rotation.published === undefined
          const phase = state.journal?.code ?? (open ? 'open' : 'idle')
          secrets.push({
            ref: state.ref.shown,
            rotator: state.policy['keyturn-rotator'] ?? null,
            state: phase,
            publishedAt: showTime(state.publishedAt),
          })
        }
        secrets.sort((a, b) => (a.ref < b.ref ? -1 : 1))
        const rows = secrets.map(({ ref, rotator, state, publishedAt }) => [ref, rotator ?? '-', state, publishedAt])
        output.result(
          { secrets: secrets satisfies Json },
          rows.length === 0
            ? ['No secrets yet. Next: keyturn put file:db --file db.json']
            : table([['SECRET', 'ROTATOR', 'STATE', 'PUBLISHED'], ...rows]),
        )
      }),
    )
