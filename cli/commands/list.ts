import { Command } from 'commander'
import { isOpen } from '../../shared/core/claims.js'
import { messageOf, RotationError } from '../../shared/core/errors.js'
import { showDuration } from '../../shared/core/policy/index.js'
import type { SecretView } from '../../shared/core/ports/store.js'
import { type Scheduled, scheduleOf } from '../../shared/lifecycle/fleet/plan.js'
import { viewOf } from '../../shared/lifecycle/fleet/view.js'
import { lookCode } from '../../shared/lifecycle/secret/last-look.js'
import { action, type Run } from '../context.js'
import { storeOption } from '../options.js'
import { showTime, table } from '../output.js'
import { assertGoesOn } from '../signals.js'

interface ListOptions {
  readonly store: string
  readonly managed?: boolean
  readonly due?: boolean
}
interface Unread {
  readonly ref: string
  readonly cause: unknown
}

/** Lists the secrets of a store without a login. One that cannot be read does not end the list: the others are shown, then it is reported. */
export const list = (): Command =>
  new Command('list')
    .description('list the secrets of a store: type, age, when the next rotation is due; no login, no value')
    .addOption(storeOption())
    .option('--managed', 'only secrets with a policy')
    .option('--due', 'only secrets whose rotation is due')
    .addHelpText('after', '\nExample:\n  keyturn list --managed\n  keyturn list --due --json')
    .action(
      action(async (run, options: ListOptions) => {
        const { app, output } = run
        const { found, failed } = await readAll(run, options)
        const [first] = failed
        if (first === undefined) {
          const none = options.due ? 'Nothing is due.' : 'No secrets yet. Next: keyturn put file:db --file db.json'
          output.result({ secrets: found }, found.length > 0 ? shown(found, app.env.now()) : [none])
          return
        }
        if (found.length === 0) throw first.cause
        if (!output.json) output.result({}, shown(found, app.env.now()))
        reportUnread(run, first, failed, found)
      }),
    )

interface Read {
  readonly found: readonly Line[]
  readonly failed: readonly Unread[]
}

/** Reads what the options ask for, sorted by ref; `failed` are the secrets that could not be read. */
async function readAll({ app }: Run, options: ListOptions): Promise<Read> {
  const store = await app.admin(`${options.store}:any`)
  const deps = await app.deps(`${options.store}:any`)
  const failed: Unread[] = []
  const found: Line[] = []
  const managed = options.managed === true || options.due === true
  const leaveOut = (ref: string, cause: unknown): void => void failed.push({ ref, cause })
  for await (const listed of store.list({ managed }, leaveOut)) {
    assertGoesOn(app.env)
    const state = await viewOf(store, listed).catch((cause: unknown) => leaveOut(listed.ref.shown, cause))
    if (state === undefined) continue
    const schedule = await scheduleOf(deps, state)
    if (options.due !== true || schedule.due) found.push(lineOf(state, schedule))
  }
  found.sort((a, b) => (a.ref < b.ref ? -1 : 1))
  return { found, failed }
}

type Line = ReturnType<typeof lineOf>
const lineOf = (state: SecretView, { type, nextAt, code, drift }: Scheduled) => ({
  ref: state.ref.shown,
  rotator: state.policy['keyturn-rotator'] ?? null,
  type: type ?? null,
  state: state.journal?.code ?? lookCode(state) ?? code ?? (isOpen(state) ? 'open' : 'idle'),
  publishedAt: state.current === undefined ? null : showTime(state.publishedAt),
  nextAt: nextAt === undefined ? null : showTime(nextAt),
  drift: drift ?? null,
})

function shown(lines: readonly Line[], now: number): readonly string[] {
  const rows = lines.map(({ ref, rotator, type, state, publishedAt, nextAt, drift }) => [
    ref,
    rotator ?? '-',
    type ?? '-',
    state,
    publishedAt === null ? '-' : showDuration(Math.max(1000, now - Date.parse(publishedAt))),
    [nextAt ?? '-', drift].filter((text) => text !== null).join('; '),
  ])
  return table([['SECRET', 'ROTATOR', 'TYPE', 'STATE', 'AGE', 'NEXT'], ...rows])
}

function reportUnread({ output }: Run, first: Unread, failed: readonly Unread[], secrets: readonly Line[]): void {
  const known = first.cause instanceof RotationError ? first.cause : undefined
  const next = known?.next ?? 'Run keyturn doctor: it examines each secret.'
  const why = `Secrets that could not be read: ${failed.length}. The first: ${first.ref}: ${messageOf(first.cause)}`
  const error = new RotationError(known?.code ?? 'internal', why, { field: first.ref, next })
  const unread = failed.map(({ ref, cause }) => ({ ref, why: messageOf(cause) }))
  output.failure(error, { secrets, unread })
}
