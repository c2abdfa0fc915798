import { Command } from 'commander'
import { RotationError } from '../../shared/core/errors.js'
import { parseDuration } from '../../shared/core/policy/index.js'
import { type Code, codes } from '../../shared/core/ports/errors.js'
import { type Swept, sweep as sweepOnce } from '../../shared/lifecycle/sweep.js'
import type { Run } from '../context.js'
import { action } from '../context.js'

interface SweepOptions {
  readonly store: string
  readonly loop?: boolean
  readonly every: string
}

export const sweep = (): Command =>
  new Command('sweep')
    .description('one pass over all managed secrets: resume, announce, retire, start what is due, look for drift')
    .option('--store <kind>', 'which store', 'file')
    .option('--loop', 'again and again, until interrupted')
    .option('--every <duration>', 'with --loop: how long between two passes', '5m')
    .addHelpText('after', '\nExample:\n  keyturn sweep\n  keyturn sweep --loop --every 1m')
    .action(
      action(async (run, options: SweepOptions) => {
        const everyMs = parseDuration(options.every)
        if (everyMs === undefined)
          throw new RotationError('bad_event', `"${options.every}" is no duration.`, {
            field: 'every',
            next: 'Write for example --every 5m.',
          })
        const { env } = run.app
        let last = await onePass(run, options.store)
        while (options.loop && !env.cancelled.aborted) {
          await env.sleep(everyMs)
          if (!env.cancelled.aborted) last = await onePass(run, options.store)
        }
        answer(run, last)
      }),
    )

async function onePass({ app, output }: Run, store: string): Promise<readonly Swept[]> {
  const done: Swept[] = []
  for await (const one of sweepOnce(await app.deps(`${store}:any`))) {
    done.push(one)
    output.note(`${one.ref}  ${one.action}: ${one.code === undefined ? '' : `${one.code}: `}${one.outcome}`)
  }
  return done
}

/** Waiting is no failure: the next pass meets it again. */
const isFailure = ({ code }: Swept): boolean => code !== undefined && codes[code] !== 'wait' && codes[code] !== 'reread'

function answer({ output }: Run, done: readonly Swept[]): void {
  const failures = done.filter(isFailure)
  const json = {
    actions: done.map(({ ref, action: what, outcome, code }) => ({ ref, action: what, outcome, code: code ?? null })),
    failed: failures.length,
  }
  const [first] = failures
  if (first === undefined) {
    output.result(json, [`${done.length} actions, none failed.`])
    return
  }
  const error = new RotationError(
    first.code as Code,
    `${failures.length} of ${done.length} actions failed; the first: ${first.ref}, ${first.action}: ${first.outcome}`,
    {
      next: `See keyturn status ${first.ref}.`,
    },
  )
  process.exitCode = output.failure(error, json)
}
