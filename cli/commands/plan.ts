import { Command } from 'commander'
import { aheadText } from '../../shared/lifecycle/fleet/act.js'
import { type Planned, plan as planFleet, shownCode } from '../../shared/lifecycle/fleet/plan.js'
import { action } from '../context.js'
import { storeOption } from '../options.js'
import { showTime, table } from '../output.js'
import { assertGoesOn } from '../signals.js'

/** Shows for every managed secret what is due and what a rotation would do now. The code of a real run decides it. No login, no write. */
export const plan = (): Command =>
  new Command('plan')
    .description('show for every managed secret what is due, held or refused, and why; no login, no write')
    .addOption(storeOption())
    .addHelpText('after', '\nExample:\n  keyturn plan')
    .action(
      action(async ({ app, output }, { store }: { readonly store: string }) => {
        const lines: Planned[] = []
        for await (const line of planFleet(await app.deps(`${store}:any`))) {
          assertGoesOn(app.env)
          lines.push(line)
        }
        lines.sort((a, b) => (a.ref < b.ref ? -1 : 1))
        const rows = lines.map((line) => [
          line.ref,
          line.rotator ?? '-',
          line.due.join(', ') || '-',
          line.rotation,
          line.nextAt === undefined ? '-' : showTime(line.nextAt),
          whyOf(line),
        ])
        output.result(
          {
            secrets: lines.map(({ ref, rotator, type, due, rotation, why, rewrites, code, nextAt, expiry, drift, aheadMs }) => ({
              ref,
              rotator: rotator ?? null,
              type: type ?? null,
              due,
              rotation,
              why: why ?? null,
              rewrites: rewrites ?? null,
              code: code ?? null,
              nextAt: nextAt === undefined ? null : showTime(nextAt),
              expiry: expiry ?? null,
              drift: drift ?? null,
              aheadMs: aheadMs ?? null,
            })),
          },
          rows.length === 0
            ? ['No secret is managed yet.']
            : table([['SECRET', 'ROTATOR', 'DUE NOW', 'ROTATION', 'SCHEDULED', 'WHY'], ...rows]),
        )
      }),
    )

function whyOf({ why, rewrites, code, expiry, drift, aheadMs }: Planned): string {
  const ahead = aheadMs === undefined ? undefined : aheadText(aheadMs)
  const look = code === undefined || code === 'stuck' ? undefined : shownCode(code)
  const written = why !== undefined || rewrites === undefined ? undefined : `rewrites ${rewrites.join(', ')}`
  return [ahead, look, expiry, drift, why, written].filter((text) => text !== undefined).join('; ')
}
