import { Command, Option } from 'commander'
import { RotationError } from '../../shared/core/errors.js'
import { isToken } from '../../shared/core/ids.js'
import { optional } from '../../shared/core/optional.js'
import { type CredentialType, credentialTypes } from '../../shared/core/ports/rotator.js'
import { type RotationRequest, type Step, steps } from '../../shared/core/ports/words.js'
import { preflightPass } from '../../shared/lifecycle/consumers/preflight.js'
import { rotateFleet } from '../../shared/lifecycle/fleet/rotate-all.js'
import { type Status, statusOf } from '../../shared/lifecycle/fleet/status.js'
import type { Deps, RotationResult } from '../../shared/lifecycle/secret/deps.js'
import { namedBy } from '../../shared/lifecycle/secret/open.js'
import { serve } from '../../shared/lifecycle/service/serve.js'
import { rotateOrFollow } from '../../shared/lifecycle/service/start.js'
import { announceAfter, announcedJson, type Pass } from '../announced.js'
import { action, type Run } from '../context.js'
import { storeOption } from '../options.js'
import type { Json } from '../output.js'
import { rewroteLine, trialLines } from '../trial-lines.js'
import { statusJson } from './status.js'

interface RotateOptions {
  readonly all?: boolean
  readonly type?: CredentialType
  readonly store: string
  readonly step?: Step
  readonly resume?: boolean
  readonly dryRun?: boolean
  readonly emergency?: boolean
  readonly reason?: string
  readonly token?: string
  readonly rotator?: string
}

/** Options that only make sense for a single secret. */
const single = ['step', 'resume', 'dryRun', 'emergency', 'token', 'rotator']

/** Rotates and announces one secret, or many with --all or --type. After a crash the same command continues. bad_event without a secret. */
export const rotate = (): Command =>
  new Command('rotate')
    .description('rotate a secret: create, set, test, finish; after a crash the same command continues')
    .argument('[ref]', 'the secret, such as file:db; with #field only that part of a secret with several credentials')
    .addOption(
      new Option(
        '--all',
        'every managed secret: first one, then a tenth, then the rest; each is verified, and the first failure stops it',
      ).conflicts(single),
    )
    .addOption(
      new Option('--type <type>', 'like --all, but only for this type of credential').choices([...credentialTypes]).conflicts(single),
    )
    .addOption(storeOption('with --all or --type: the store'))
    .addOption(new Option('--step <step>', 'run only this step; each step may be repeated').choices([...steps]))
    .addOption(new Option('--resume', 'only finish an open rotation; start nothing').conflicts(['emergency', 'dryRun']))
    .option('--dry-run', 'show what would be done; no login, no write')
    .option('--emergency', 'skip grace, window and hold; needs --reason')
    .option('--reason <text>', 'the reason, for the audit log; never a value')
    .option('--token <token>', 'id of this rotation; the same token means the same rotation')
    .option('--rotator <kind>', 'kind of credential of a secret that was not adopted, for this rotation only')
    .addHelpText('after', '\nExample:\n  keyturn rotate file:db\n  keyturn rotate file:db --emergency --reason "laptop stolen"')
    .action(
      action(async (run, given: string | undefined, options: RotateOptions) => {
        if (options.all || options.type !== undefined) return fleet(run, given, options)
        const { app, output } = run
        const [refText = '', part] = (given ?? failMissing()).split('#', 2)
        const deps = await namedBy(await app.deps(refText), refText, options.rotator)
        const request = { ...requestOf(refText, options, app.env.now()), ...optional('part', part) }
        if (options.dryRun) {
          const found = await statusOf(deps, refText, request.kind)
          output.result(statusJson(found, app.env.now()), dryRunLines(found))
          return
        }
        const checked = request.kind === 'rotate' ? await preflightPass(deps, refText) : []
        const result = await carryOut(run, { ...deps, checked }, request)
        const nothingToAnnounce: Pass = { ref: result.ref, outcome: 'none', told: [] }
        const pass = result.outcome === 'step' ? nothingToAnnounce : await announceAfter(deps, refText, output)
        output.result({ ...resultJson(result), ...announcedJson(pass) }, resultLines(result))
      }),
    )

function dryRunLines({ state, next, trial }: Status): readonly string[] {
  const advice = next.do === 'refuse' && next.next !== undefined ? [next.next] : []
  return [`${state.ref.shown}: ${wouldText(next)}`, ...advice, ...trialLines(trial)]
}

/** What a rotation would do now, in words. */
function wouldText(next: Status['next']): string {
  switch (next.do) {
    case 'done':
      return 'nothing to do.'
    case 'refuse':
      return `it would be refused: ${next.code}, ${next.why}`
    case 'go':
      return next.from === 'create' ? 'a rotation would start.' : `the open rotation would continue at ${next.from}.`
    case 'probe':
      return 'a staged value would be checked first, by one login.'
    case 'drop':
      return 'a value that was put and never set would be dropped first.'
    case 'prove':
    case 'check':
      return 'the value would be checked by one login.'
  }
}

/** Runs a step as the platform's own if the platform drives rotations. A whole rotation is left to the platform if it starts rotations. */
async function carryOut({ app, output }: Run, deps: Deps, request: RotationRequest): Promise<RotationResult> {
  const { steps: service, starter } = await app.service(request.ref)
  const { kind, step, token } = request
  if (service !== undefined && kind !== 'emergency' && step !== undefined && token !== undefined)
    return serve(deps, service, { ...request, kind: 'rotate', step, token })
  return rotateOrFollow(deps, starter, request, (line) => output.note(`· ${line}`))
}

function failMissing(): never {
  throw new RotationError('bad_event', 'No secret was named.', { field: 'ref', next: 'Name one, such as file:db, or use --all.' })
}

async function fleet({ app, output }: Run, given: string | undefined, { type, store, reason }: RotateOptions): Promise<void> {
  if (given !== undefined)
    throw new RotationError('bad_event', 'A secret was named together with --all or --type.', {
      field: 'ref',
      next: 'Give only one of them.',
    })
  const { starter } = await app.service(`${store}:any`)
  const deps = await app.deps(`${store}:any`)
  const { rotated, rewrote, skipped, failed, left } = await rotateFleet(deps, app.env, { type, reason, starter }, (line) =>
    output.note(line),
  )
  const found = { rotated, rewrote, skipped: skipped.map(({ ref, code, why }) => ({ ref, code, why })), left }
  if (failed === undefined) {
    const lines = skipped.map(({ ref, code, why }) => `${ref}  ${code}: ${why}`)
    const written = Object.entries(rewrote).map(([ref, fields]) => `${ref} ${rewroteLine(fields)}`)
    output.result(found, [...written, ...lines, `${rotated.length} rotated and verified, ${skipped.length} skipped.`])
    return
  }
  const why = `${failed.ref} failed. Rotated before it: ${rotated.length}; not started: ${left}. ${failed.why}`
  output.failure(new RotationError(failed.code, why, { field: 'ref', next: `Run keyturn status ${failed.ref}.` }), found)
}

function requestOf(ref: string, options: RotateOptions, at: number): RotationRequest {
  const failOption = (field: string, message: string, next: string): never => {
    throw new RotationError('bad_event', message, { field, next })
  }
  if (options.emergency && !options.reason)
    failOption('reason', 'An emergency rotation needs a reason; it goes into the audit log.', 'Add --reason "…".')
  if (options.token !== undefined && !isToken(options.token))
    failOption('token', 'The token is malformed.', 'Give 32 to 64 characters of A-Z a-z 0-9 and -.')
  return {
    kind: kindOf(options),
    ref,
    at,
    ...(options.token !== undefined && isToken(options.token) ? { token: options.token } : {}),
    ...optional('step', options.step),
    ...optional('reason', options.reason),
  }
}

function kindOf({ emergency, resume }: RotateOptions): 'emergency' | 'resume' | 'rotate' {
  if (emergency) return 'emergency'
  return resume ? 'resume' : 'rotate'
}

const resultJson = (result: RotationResult): { readonly [key: string]: Json | undefined } => ({
  ref: result.ref.shown,
  outcome: result.outcome,
  kind: result.kind,
  token: result.token ?? null,
  version: result.version ?? null,
  previous: result.previous ?? null,
  steps: result.steps,
  differences: result.differences.map(({ what, outgoing, incoming, fatal }) => ({ what, outgoing, incoming, fatal })),
  rewrote: result.rewrote ?? null,
  windowMs: result.windowMs ?? null,
})

function resultLines(result: RotationResult): readonly string[] {
  const { ref, outcome, version, steps: done, differences, rewrote, windowMs } = result
  const work = done.length === 0 ? 'nothing to do' : `${done.join(', ')} done`
  const first = {
    published: `${ref.shown} is rotated: version ${version} is current (${done.join(', ')}).`,
    unchanged: `${ref.shown} is unchanged: nothing to do.`,
    step: `${ref.shown}: ${work}; nothing is published yet.`,
  }[outcome]
  const remarks = differences.map(({ what, outgoing, incoming }) => `difference: ${what}: outgoing ${outgoing}, incoming ${incoming}`)
  const written = rewrote === undefined || outcome === 'unchanged' ? [] : [`It ${rewroteLine(rewrote)}.`]
  return [
    first,
    ...written,
    ...remarks,
    ...(windowMs === undefined ? [] : [`New logins with the stored value failed for at most ${windowMs} ms.`]),
  ]
}
