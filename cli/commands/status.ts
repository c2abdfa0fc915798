import { Command } from 'commander'
import { isOpen } from '../../shared/core/claims.js'
import { shownDrift } from '../../shared/core/notices.js'
import { optional } from '../../shared/core/optional.js'
import { showDuration } from '../../shared/core/policy/index.js'
import type { Consumer } from '../../shared/core/ports/notifier.js'
import { countsFrom } from '../../shared/lifecycle/decide/reckoned.js'
import { shownCode } from '../../shared/lifecycle/fleet/plan.js'
import { type Status, statusOf } from '../../shared/lifecycle/fleet/status.js'
import { lookCode } from '../../shared/lifecycle/secret/last-look.js'
import { action } from '../context.js'
import { type Json, showTime } from '../output.js'
import { trialJson, trialLines } from '../trial-lines.js'

/** Shows the state of a secret and what a rotation would do now. The code of a real run decides it. No login, no write. */
export const status = (): Command =>
  new Command('status')
    .description('show the state of a secret and what a rotation would do now; no login, no write')
    .argument('<ref>', 'the secret, such as file:db')
    .addHelpText('after', '\nExample:\n  keyturn status file:db --json')
    .action(
      action(async ({ app, output }, refText: string) => {
        const found = await statusOf(await app.deps(refText), refText)
        output.result(statusJson(found, app.env.now()), statusLines(found, app.env.now()))
      }),
    )

/** Makes the object of `status --json` and `rotate --dry-run --json`: times in ISO 8601, `graceMs` in milliseconds, null for anything unknown. */
export function statusJson(found: Status, now: number): { readonly [key: string]: Json | undefined } {
  const { state, rotator, type, proof, strategy, graceMs, next, nextAt, drift, consumers, announced, retiring } = found
  const rotation = state.journal?.rotation
  return {
    ref: state.ref.shown,
    rotator: rotator ?? null,
    type: type ?? null,
    proof: proof ?? null,
    strategy: strategy ?? null,
    version: state.current?.id ?? null,
    previous: state.previous?.id ?? null,
    publishedAt: state.current === undefined ? null : showTime(state.publishedAt),
    aheadMs: countsFrom(state, state.publishedAt, now) === undefined ? state.publishedAt - now : null,
    nextAt: nextAt === undefined ? null : showTime(nextAt),
    drift: drift === undefined ? null : { ...drift },
    pending: state.pending?.id ?? null,
    open: isOpen(state),
    token: rotation?.token ?? null,
    leaseUntil: rotation && rotation.leaseUntil > now ? showTime(rotation.leaseUntil) : null,
    code: state.journal?.code ?? lookCode(state) ?? null,
    graceMs,
    announced,
    consumers: consumers.map((consumer) => consumerJson(consumer, state)),
    retiring: retiring.map(({ id, state: phase, since, notBefore }) => ({
      id,
      state: phase,
      since: showTime(since),
      notBefore: showTime(notBefore),
    })),
    move: moveOf(found) ?? null,
    ...trialJson(found.trial),
    next: {
      do: next.do,
      row: next.row,
      ...(next.do === 'refuse' ? { code: next.code, why: next.why, ...optional('next', next.next) } : {}),
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
    evidence: seen?.evidence ?? null,
  }
}

/** The one command that moves the secret on; undefined if nothing is awaited. */
function moveOf({ state, consumers, announced }: Status): string | undefined {
  const { ref, journal, current } = state
  if (journal?.code === 'stuck') return `keyturn recover ${ref.shown}`
  if (lookCode(state) !== undefined) return `keyturn verify ${ref.shown}`
  if (consumers.length > 0 && !announced) return `keyturn retire ${ref.shown}`
  if ((journal?.retiring ?? []).length === 0) return undefined
  const behind = consumers.find((consumer) => consumer.kind === 'manual' && consumer.required && !isDrained(consumer, state))
  if (behind === undefined) return `keyturn retire ${ref.shown}`
  return `keyturn seen ${ref.shown} --consumer ${behind.key} --publication ${current?.id}`
}

/** Whether the consumer is noted as drained on the current version. */
function isDrained({ key }: Consumer, { journal, current }: Status['state']): boolean {
  const seen = journal?.seen?.[key]
  return seen?.version === current?.id && seen?.phase === 'drained'
}

const showAge = (at: number, now: number): string => showDuration(Math.max(0, now - at))
const inBrackets = (notes: readonly (string | undefined)[]): string => {
  const given = notes.filter((note) => note !== undefined)
  return given.length === 0 ? '' : ` (${given.join(', ')})`
}

function consumerLine({ key, required, place }: Consumer, { journal, current }: Status['state'], now: number): string {
  const about = inBrackets([place, required ? 'required' : undefined])
  const seen = journal?.seen?.[key]
  if (seen === undefined) return `consumer   ${key}${about}: not told yet`
  const version = seen.version === current?.id ? 'current' : seen.version
  const evidence = seen.evidence === undefined ? '' : `: ${seen.evidence}`
  return `consumer   ${key}${about}: ${seen.phase} on ${version}, ${showAge(seen.at, now)} ago${inBrackets([seen.code])}${evidence}`
}

function followLines(found: Status, now: number): readonly string[] {
  const { state, consumers, retiring } = found
  const move = moveOf(found)
  return [
    ...consumers.map((consumer) => consumerLine(consumer, state, now)),
    ...retiring.map(({ id, state: phase, since }) => `outgoing   ${id}: ${phase}, since ${showAge(since, now)}`),
    ...(move === undefined ? [] : [`moves it   ${move}`]),
  ]
}

function phaseOf(state: Status['state']): string {
  const { code, rotation } = state.journal ?? {}
  if (code !== undefined) return code
  return rotation && isOpen(state) ? `open (token ${rotation.token}, attempt ${rotation.attempt})` : 'idle'
}

function publishedText(state: Status['state'], now: number): string {
  const from = countsFrom(state, state.publishedAt, now)
  if (from !== undefined) return `${showAge(from, now)} ago`
  return `${showDuration(state.publishedAt - now)} ahead of this clock: keyturn retire counts it from now`
}

function statusLines(found: Status, now: number): readonly string[] {
  const { state, rotator, type, proof, strategy, next, nextAt, drift } = found
  const look = lookCode(state)
  const title = `${state.ref.shown}  ${rotator ?? 'no rotator'}${inBrackets([type])}`
  return [
    strategy === undefined ? title : `${title} · ${strategy}`,
    `current    ${state.current === undefined ? 'none' : `${state.current.id}, published ${publishedText(state, now)}`}`,
    ...(nextAt === undefined ? [] : [`schedule   due ${showTime(nextAt)}`]),
    ...(proof === 'answer' ? ['proof      the answer of the interface that sets it; no login can try a value'] : []),
    ...(drift === undefined ? [] : [`           ${shownDrift(drift)}`, `           ${drift.next}`]),
    ...(state.previous ? [`previous   ${state.previous.id}`] : []),
    ...(state.pending ? [`pending    ${state.pending.id}`] : []),
    `state      ${phaseOf(state)}`,
    ...(look === undefined ? [] : [`login      ${shownCode(look)}`]),
    ...followLines(found, now),
    `next       ${nextLine(next, state.ref.shown)}`,
    ...(next.do === 'refuse' && next.next !== undefined ? [`           ${next.next}`] : []),
    ...trialLines(found.trial).map((line) => `           ${line}`),
  ]
}

function nextLine(next: Status['next'], shown: string): string {
  if (next.do === 'refuse') return `${next.code}: ${next.why}`
  if (next.do === 'done') return 'nothing to do'
  if (next.do === 'go' && next.from !== 'create') return `keyturn rotate ${shown} --resume continues at ${next.from}`
  if (next.do === 'probe') return `keyturn rotate ${shown} --resume checks a staged value first`
  return `keyturn rotate ${shown} would start now`
}
