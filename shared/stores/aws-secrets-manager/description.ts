import type { DescribeSecretCommandOutput, SecretListEntry } from '@aws-sdk/client-secrets-manager'
import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Native, Policy, SecretRef, VersionId } from '../../core/ports/words.js'
import { storeKind } from '../../core/refs.js'
import { holderOf, label, type Stages } from './labels.js'

export const kind = storeKind('aws')

/** DescribeSecret, or one entry of ListSecrets, in our own words. */
export interface Description {
  readonly ref: SecretRef
  readonly stages: Stages
  readonly tags: Policy
  readonly current?: VersionId
  readonly previous?: VersionId
  readonly pending?: VersionId
  readonly native: Native
  readonly changedAt: number
  readonly rotatedAt?: number
  /** Why nobody but the named one may rotate it. */
  readonly foreign?: string
}

/** RotateSecret is set up: the service drives. */
export const isDriven = ({ native }: Pick<Description, 'native'>): boolean => native.does === 'starts'
/** A secret by its whole ARN, and as people and other tools call it. */
export const refOf = (arn: string, name: string): SecretRef => ({ store: kind, key: arn, shown: `aws:${name}`, name })

const ms = (date: Date | undefined): number | undefined => date?.getTime()

/** Translates DescribeSecret or an entry of ListSecrets; times in epoch milliseconds. not_found for a secret that is marked for deletion. */
export function readDescription(answer: DescribeSecretCommandOutput | (SecretListEntry & { readonly $metadata?: unknown })): Description {
  const { ARN: arn = '', Name: name = arn } = answer
  const ref = refOf(arn, name)
  if (answer.DeletedDate !== undefined) {
    throw new RotationError('not_found', `${ref.shown} is marked for deletion.`, {
      field: 'ref',
      next: 'Restore it (aws secretsmanager restore-secret), or name another one.',
    })
  }
  const found =
    ('VersionIdsToStages' in answer
      ? answer.VersionIdsToStages
      : 'SecretVersionsToStages' in answer
        ? answer.SecretVersionsToStages
        : undefined) ?? {}
  const stages: Stages = new Map(Object.entries(found).map(([id, names]) => [id as VersionId, names]))
  const region = arn.split(':')[3]
  return {
    ref,
    stages,
    tags: Object.fromEntries((answer.Tags ?? []).flatMap(({ Key, Value }) => (Key === undefined ? [] : [[Key, Value ?? '']]))),
    ...optional('current', holderOf(stages, label.current)),
    ...optional('previous', holderOf(stages, label.previous)),
    ...optional('pending', holderOf(stages, label.pending)),
    native: nativeOf(answer),
    changedAt: ms(answer.LastChangedDate) ?? ms(answer.CreatedDate) ?? 0,
    ...optional('rotatedAt', ms(answer.LastRotatedDate)),
    ...optional('foreign', foreignOf(answer.OwningService, answer.PrimaryRegion, region)),
  }
}

function nativeOf(answer: Parameters<typeof readDescription>[0]): Native {
  const rules = answer.RotationRules
  const schedule =
    rules?.ScheduleExpression ?? (rules?.AutomaticallyAfterDays === undefined ? undefined : `every ${rules.AutomaticallyAfterDays} days`)
  const replicas = ('ReplicationStatus' in answer ? (answer.ReplicationStatus ?? []) : []).map(({ Region, Status }) => ({
    at: Region ?? 'unknown',
    inSync: Status === 'InSync',
  }))
  return {
    does: answer.RotationEnabled === true ? 'starts' : 'off',
    ...optional('schedule', schedule),
    ...optional('nextAt', ms(answer.NextRotationDate)),
    replicas,
  }
}

function foreignOf(service: string | undefined, primary: string | undefined, region: string | undefined): string | undefined {
  if (service !== undefined) return `is managed by ${service}, which rotates it itself`
  return primary !== undefined && primary !== region ? `is a replica; its primary is in ${primary}` : undefined
}
