import { Command } from 'commander'
import { isOpen } from '../../shared/core/claims.js'
import { showDuration } from '../../shared/core/policy/index.js'
import type { Consumer } from '../../shared/core/ports/notifier.js'
import { type Status, statusOf } from '../../shared/lifecycle/fleet/status.js'
import { action } from '../context.js'
import { type Json, showTime } from '../output.js'

/** Shows the state of a secret and what a rotation would do now. The code of a real run decides it. No login, no write. */
export const status = (): Command =>
  new Command('status')
    .description('show the state of a secret and what a rotation would do now; no login, no write')
    .argument('<ref>', 'the secret, such as file:db')
    .addHelpText('after', '\nExample:\n  keyturn status file:db --json')
    .action(
      action(async ({ app, output }, refText: string) => {
        const found = await statusOf(await app.deps(refText), refText)
        output.result(statusJson(found), statusLines(found, app.env.now()))
      }),
    )

/** Makes the object of `status --json` and `rotate --dry-run --json`: times in ISO 8601, `graceMs` in milliseconds, null for anything unknown. */
export function statusJson({ state, rotator, type, strategy, graceMs, next, nextAt, consumers, announced }: Status): {
  readonly [key: string]: Json | undefined
} {
  const rotation = state.journal?.rotation
  return {
    ref: state.ref.shown,
    rotator: rotator ?? null,
    type: type ?? null,
    strategy: strategy ?? null,
    version: state.current?.id ?? null,
    previous: state.previous?.id ?? null,
    publishedAt: showTime(state.publishedAt),
    nextAt: nextAt === undefined ? null : showTime(nextAt),
    pending: state.pending?.id ?? null,
    open: isOpen(state),
    token: rotation?.token ?? null,
    leaseUntil: rotation && rotation.leaseUntil > 0 ? showTime(rotation.leaseUntil) : null,
    code: state.journal?.code ?? null,
    graceMs,
    announced,
    consumers: consumers.map((consumer) => consumerJson(consumer, state)),
    retiring: (state.journal?.retiring ?? []).map(({ id, state: phase, since, notBefore }) => ({
      id,
      state: phase,
      since: showTime(since),
      notBefore: showTime(notBefore),
    })),
    move: moveOf(state, consumers, announced) ?? null,
    next: {
      do: next.do,
      row: next.row,
      ...(next.do === 'refuse' ? { code: next.code, why: next.why } : {}),
      ...(next.do === 'go' ? { from: next.from } : {}),
    },
  }
}

function consumerJson({ key, required, place }: Consumer, { journal, current }: Status['state']): Json {
  const seen = journal?.seen?.[key]
  return {
    consumer: key,
    place: place ?? null,
    required,
    version: seen?.version ?? null,
    phase: seen?.phase ?? null,
    onCurrent: seen !== undefined && seen.version === current?.id,
    at: seen === undefined ? null : showTime(seen.at),
    code: seen?.code ?? null,
  }
}

/** The one command that moves the secret on; undefined if nothing is awaited. */
function moveOf({ ref, journal, current }: Status['state'], consumers: readonly Consumer[], announced: boolean): string | undefined {
  if (journal?.code === 'stuck') return `keyturn recover ${ref.shown}`
  if (consumers.length > 0 && !announced) return `keyturn retire ${ref.shown}`
  if ((journal?.retiring ?? []).length === 0) return undefined
  const behind = consumers.find(
    ({ key, required, kind }) =>
      required && kind === 'manual' && !(journal?.seen?.[key]?.version === current?.id && journal?.seen?.[key]?.phase === 'drained'),
  )
  return behind ? `keyturn seen ${ref.shown} --consumer ${behind.key} --publication ${current?.id}` : `keyturn retire ${ref.shown}`
}

function followLines({ state, consumers, announced }: Status, now: number): readonly string[] {
  const { journal, current } = state
  const age = (at: number): string => showDuration(Math.max(0, now - at))
  const following = consumers.map(({ key, required, place }) => {
    const seen = journal?.seen?.[key]
    const where =
      seen === undefined
        ? 'not told yet'
        : `${seen.phase} on ${seen.version === current?.id ? 'current' : seen.version}, ${age(seen.at)} ago`
    const notes = [...(place === undefined ? [] : [place]), ...(required ? ['required'] : [])].join(', ')
    return `consumer   ${key}${notes === '' ? '' : ` (${notes})`}: ${where}${seen?.code === undefined ? '' : ` (${seen.code})`}`
  })
  const leaving = (journal?.retiring ?? []).map(({ id, state: phase, since }) => `outgoing   ${id}: ${phase}, since ${age(since)}`)
  const move = moveOf(state, consumers, announced)
  return [...following, ...leaving, ...(move === undefined ? [] : [`moves it   ${move}`])]
}

function statusLines(found: Status, now: number): readonly string[] {
  const { state, rotator, type, strategy, next, nextAt } = found
  const rotation = state.journal?.rotation
  const phase = state.journal?.code ?? (rotation && isOpen(state) ? `open (token ${rotation.token}, attempt ${rotation.attempt})` : 'idle')
  return [
    `${state.ref.shown}  ${rotator ?? 'no rotator'}${type === undefined ? '' : ` (${type})`}${strategy === undefined ? '' : ` · ${strategy}`}`,
    `current    ${state.current?.id ?? 'none'}, published ${showDuration(Math.max(0, now - state.publishedAt))} ago`,
    ...(nextAt === undefined ? [] : [`schedule   due ${showTime(nextAt)}`]),
    ...(state.previous ? [`previous   ${state.previous.id}`] : []),
    ...(state.pending ? [`pending    ${state.pending.id}`] : []),
    `state      ${phase}`,
    ...followLines(found, now),
    `next       ${nextLine(next, state.ref.shown)}`,
  ]
}

function nextLine(next: Status['next'], shown: string): string {
  if (next.do === 'refuse') return `${next.code}: ${next.why}`
  if (next.do === 'done') return 'nothing to do'
  if (next.do === 'go' && next.from !== 'create') return `keyturn rotate ${shown} --resume continues at ${next.from}`
  return next.do === 'probe' ? `keyturn rotate ${shown} --resume checks a staged value first` : `keyturn rotate ${shown} would start now`
}
