import { Command } from 'commander'
import { counted } from '../../shared/core/counted.js'
import { RotationError } from '../../shared/core/errors.js'
import { optional } from '../../shared/core/optional.js'
import { parseDuration } from '../../shared/core/policy/index.js'
import { type Code, codes } from '../../shared/core/ports/errors.js'
import { follow } from '../../shared/lifecycle/fleet/follow.js'
import { type Swept, sweep as sweepOnce } from '../../shared/lifecycle/fleet/sweep.js'
import type { Run } from '../context.js'
import { action } from '../context.js'
import { storeOption } from '../options.js'
import { interruptedError } from '../signals.js'

interface SweepOptions {
  readonly store: string
  readonly loop?: boolean
  readonly every: string
  readonly follow?: string
}
const followMs = 600_000

/**
 * Makes one pass over all managed secrets; with --loop, passes until it is interrupted, which is its ordinary end. Only failures of the last pass set
 * the exit code then.
 */
export const sweep = (): Command =>
  new Command('sweep')
    .description('make one pass over all managed secrets: resume, announce, retire, start what is due, check for drift')
    .addOption(storeOption())
    .option('--loop', 'repeat until interrupted')
    .option('--every <duration>', 'with --loop: time between two passes', '5m')
    .option(
      '--follow <duration>',
      'how long to keep watching rollouts that are in progress (default: 10m in a terminal, otherwise not at all)',
    )
    .addHelpText('after', '\nExample:\n  keyturn sweep\n  keyturn sweep --follow 4m\n  keyturn sweep --loop --every 1m')
    .action(
      action(async (run, options: SweepOptions) => {
        const everyMs = durationOf('every', options.every)
        const lookMs = lookMsOf(run, options)
        const { env } = run.app
        let isCut = false
        const pass = async (ms: number): Promise<readonly Swept[]> => {
          const done = await onePass(run, options.store)
          isCut = env.cancelled.aborted && !options.loop
          await showRollouts(run, options.store, ms)
          return done
        }
        let last = await pass(lookMs)
        while (options.loop && !env.cancelled.aborted) {
          await env.sleep(everyMs)
          if (!env.cancelled.aborted) last = await pass(Math.min(lookMs, everyMs))
        }
        answer(run, last, isCut)
      }),
    )

function lookMsOf({ terminal }: Run, { follow }: SweepOptions): number {
  if (follow !== undefined) return durationOf('follow', follow)
  return terminal.stderr.isTTY ? followMs : 0
}

function durationOf(field: string, text: string): number {
  const ms = parseDuration(text)
  if (ms !== undefined) return ms
  throw new RotationError('bad_event', `"${text}" is not a duration.`, { field, next: `Give a duration such as --${field} 5m.` })
}

/** Prints a line whenever a consumer has moved on. */
async function showRollouts({ app, output }: Run, store: string, ms: number): Promise<void> {
  if (ms === 0) return
  for await (const { ref, consumer, phase, evidence } of follow(await app.deps(`${store}:any`), app.env.now() + ms))
    output.note(`${ref}  ${consumer} ${phase}: ${evidence}`)
}

async function onePass({ app, output }: Run, store: string): Promise<readonly Swept[]> {
  const done: Swept[] = []
  for await (const one of sweepOnce(await app.deps(`${store}:any`))) {
    done.push(one)
    output.note(
      `${one.ref}  ${one.action}: ${one.code === undefined ? '' : `${one.code}: `}${one.outcome}${one.rewrote === undefined ? '' : `; rewrote ${one.rewrote.join(', ')}`}`,
    )
  }
  return done
}

/** Waiting is not a failure: the next pass tries again. */
const isFailure = ({ code }: Swept): boolean => code !== undefined && codes[code] !== 'wait' && codes[code] !== 'reread'

/** `isCut`: a signal ended the pass before it had seen every secret. */
function answer({ output }: Run, done: readonly Swept[], isCut: boolean): void {
  const failures = done.filter(isFailure)
  const json = {
    actions: done.map(({ ref, action: what, outcome, code, rewrote, consumers }) => ({
      ref,
      action: what,
      outcome,
      code: code ?? null,
      ...optional('rewrote', rewrote),
      ...optional(
        'consumers',
        consumers?.map((one) => ({ ...one })),
      ),
    })),
    failed: failures.length,
  }
  const [first] = failures
  if (first === undefined && isCut) {
    output.failure(interruptedError(`Interrupted after ${counted(done.length, 'action')}; none failed.`), json)
    return
  }
  if (first === undefined) {
    output.result(json, [`${counted(done.length, 'action')}, none failed.`])
    return
  }
  const error = new RotationError(
    first.code as Code,
    `${failures.length} of ${counted(done.length, 'action')} failed. The first: ${first.ref}, ${first.action}: ${first.outcome.replace(/\.$/, '')}.`,
    {
      next: `Run keyturn status ${first.ref}.`,
    },
  )
  output.failure(error, json)
}
