import type { DescribeSecretCommandOutput, SecretListEntry } from '@aws-sdk/client-secrets-manager'
import { counted } from '../../core/counted.js'
import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Native, Policy, SecretRef, VersionId } from '../../core/ports/words.js'
import { storeKind } from '../../core/refs.js'
import { holderOf, label, type Stages } from './labels.js'

export const kind = storeKind('aws')

/** What DescribeSecret or one entry of ListSecrets says, with names of our own. */
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
  /** Why it cannot be rotated here. */
  readonly foreign?: string
}

/** Whether RotateSecret is set up, so that the service drives. */
export const isDriven = ({ native }: Pick<Description, 'native'>): boolean => native.does === 'starts'
/** A secret by its whole ARN, with the names that people and other tools use. */
export const refOf = (arn: string, name: string): SecretRef => ({ store: kind, key: arn, shown: `aws:${name}`, name })

const ms = (date: Date | undefined): number | undefined => date?.getTime()

type Answer = DescribeSecretCommandOutput | (SecretListEntry & { readonly $metadata?: unknown })

/** Translates DescribeSecret or an entry of ListSecrets; times in epoch milliseconds. not_found for a secret that is marked for deletion. */
export function readDescription(answer: Answer): Description {
  const { ARN: arn = '', Name: name = arn } = answer
  const ref = refOf(arn, name)
  if (answer.DeletedDate !== undefined) {
    throw new RotationError('not_found', `${ref.shown} is marked for deletion.`, {
      field: 'ref',
      next: 'Restore it (aws secretsmanager restore-secret), or name another one.',
    })
  }
  const stages = stagesOf(answer)
  const region = arn.split(':')[3]
  const tags = (answer.Tags ?? []).flatMap(({ Key, Value = '' }) => (Key === undefined ? [] : [[Key, Value] as const]))
  return {
    ref,
    stages,
    tags: Object.fromEntries(tags),
    ...optional('current', holderOf(stages, label.current)),
    ...optional('previous', holderOf(stages, label.previous)),
    ...optional('pending', holderOf(stages, label.pending)),
    native: nativeOf(answer),
    changedAt: ms(answer.LastChangedDate) ?? ms(answer.CreatedDate) ?? 0,
    ...optional('rotatedAt', ms(answer.LastRotatedDate)),
    ...optional('foreign', foreignOf(answer.OwningService, answer.PrimaryRegion, region)),
  }
}

/** The two answers have the labels under different names. */
function stagesOf(answer: Answer): Stages {
  const described = 'VersionIdsToStages' in answer ? answer.VersionIdsToStages : undefined
  const listed = 'SecretVersionsToStages' in answer ? answer.SecretVersionsToStages : undefined
  const entries = Object.entries(described ?? listed ?? {})
  return new Map(entries.map(([id, names]) => [id as VersionId, names]))
}

function nativeOf(answer: Answer): Native {
  const { ScheduleExpression: expression, AutomaticallyAfterDays: days } = answer.RotationRules ?? {}
  const schedule = expression ?? (days === undefined ? undefined : `every ${counted(days, 'day')}`)
  const found = 'ReplicationStatus' in answer ? (answer.ReplicationStatus ?? []) : []
  const replicas = found.map(({ Region = 'unknown', Status }) => ({ at: Region, inSync: Status === 'InSync' }))
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
