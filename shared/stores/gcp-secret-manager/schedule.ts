import { RotationError } from '../../core/errors.js'
import { isInTurn, type Moment, noticeDrift } from '../../core/notices.js'
import { optional } from '../../core/optional.js'
import { parseDuration } from '../../core/policy/index.js'
import type { Native, Policy } from '../../core/ports/words.js'
import type { Maps, Rotation } from './api.js'
import { CallError, sayError, statuses, statusOf } from './errors.js'
import type { Secret } from './wire.js'

const everyKey = 'keyturn-every'
/** The annotation that says which schedule we wrote. It is no policy, so that it does not begin like one. */
export const noticeKey = 'keyturn_notice'
/** The service takes no shorter period. */
const everyMsMin = 3_600_000
/** The service takes no time that is less than five minutes ahead, by its own clock. */
const aheadMsMin = 10 * 60_000

const markText = ({ everyMs, nextAt }: Rotation): string => `${everyMs / 1000}s ${new Date(nextAt).toISOString()}`
/** undefined for one that somebody edited: what it is about is then not ours. */
function readMark(text: string | undefined): Rotation | undefined {
  const [, period, time = ''] = /^([1-9]\d{3,9})s (\S+)$/.exec(text ?? '') ?? []
  const nextAt = Date.parse(time)
  return period === undefined || Number.isNaN(nextAt) ? undefined : { everyMs: Number(period) * 1000, nextAt }
}

/** The schedule that we wrote, as long as nobody has changed it since. */
function oursOf({ annotations, nextAt, everyMs }: Secret): Rotation | undefined {
  const written = readMark(annotations[noticeKey])
  if (written === undefined || nextAt === undefined || !isInTurn(written, nextAt)) return undefined
  return everyMs === undefined || everyMs === written.everyMs ? written : undefined
}

/** What the service notifies of, as far as it shows it; undefined where it cannot, because there is no topic. */
export function noticesOf({ topics, nextAt, everyMs, annotations }: Secret): Native | undefined {
  if (topics.length === 0 && nextAt === undefined) return undefined
  const shown = { ...optional('nextAt', nextAt), ...optional('everyMs', everyMs) }
  return { does: 'notifies', ...shown, everyMsMin, ...optional('written', readMark(annotations[noticeKey])), replicas: [] }
}

/** Whether the policy asks for notices that this secret can have. */
export function wantsNotices({ topics }: Secret, policy: Policy): boolean {
  return topics.length > 0 && (parseDuration(policy[everyKey] ?? '') ?? 0) >= everyMsMin
}

/** The rest of an update that changes a policy: what else must change so that the service notifies as the policy says. */
export interface ScheduleChange extends Pick<Maps, 'rotation'> {
  /** The annotations, with the policy and with what says which schedule is ours. */
  readonly annotations: Readonly<Record<string, string>>
}

/**
 * A schedule that agrees with the policy stays as it is, whoever wrote it. Any other one is replaced where the policy has a schedule; where it has none,
 * only ours is taken away.
 */
export function scheduleChange(secret: Secret, annotations: Readonly<Record<string, string>>, moment: Moment): ScheduleChange {
  if (!wantsNotices(secret, annotations)) return withoutSchedule(secret, annotations)
  if (noticeDrift(noticesOf(secret), annotations, moment) === undefined) return { annotations }
  const everyMs = parseDuration(annotations[everyKey] ?? '') ?? 0
  const nextAt = Math.ceil(Math.max(moment.publishedAt + everyMs, moment.now + aheadMsMin) / 1000) * 1000
  const rotation = { everyMs, nextAt }
  return { annotations: { ...annotations, [noticeKey]: markText(rotation) }, rotation }
}

/** Takes away a schedule that is ours, and what says so. */
export function withoutSchedule(secret: Secret, annotations: Readonly<Record<string, string>>): ScheduleChange {
  const { [noticeKey]: _, ...others } = annotations
  return { annotations: others, ...(oursOf(secret) === undefined ? {} : { rotation: null }) }
}

/** Only its text tells that the service could not reach a topic. The name of a secret in it tells nothing. */
const isAboutTopic = (text: string): boolean => /\btopics?\b|\bpub\/?sub\b/i.test(text.replace(/\bsecrets\/[\w-]+/g, ''))

/**
 * The error for an update that set up a schedule and that the service refused because of a topic; undefined for every other error. A topic that is missing
 * and one that the service may not publish to have different codes, and the same remedy.
 */
export function topicError(cause: unknown, { resource, topics }: Secret, shown: string): RotationError | undefined {
  const refusal = refusalIn(cause)
  if (refusal === undefined || !isAboutTopic(refusal.message)) return undefined
  const topic = topics.find((one) => refusal.message.includes(one)) ?? topics[0] ?? 'projects/PROJECT/topics/TOPIC'
  const agent = `service-${resource.split('/')[1]}@gcp-sa-secretmanager.iam.gserviceaccount.com`
  const binding = `gcloud pubsub topics add-iam-policy-binding ${topic} --member=serviceAccount:${agent} --role=roles/pubsub.publisher`
  const isDenied = statuses[statusOf(refusal) ?? 0]?.[0] === 'PERMISSION_DENIED'
  return new RotationError(
    isDenied ? 'denied' : 'bad_config',
    `The service cannot notify of ${shown} by the topic ${topic} (${sayError(refusal)}): it is missing, or the service may not publish to it. Nothing was changed.`,
    {
      cause,
      field: everyKey,
      next: `Make the topic if it is missing, run ${binding}, and try again. A secret without topics is rotated by the sweep alone.`,
    },
  )
}

/** What the client threw: an error that says what a person can do has it as its cause. */
function refusalIn(cause: unknown): Error | undefined {
  if (!(cause instanceof RotationError || cause instanceof CallError)) return cause instanceof Error ? cause : undefined
  return refusalIn(cause.cause)
}
