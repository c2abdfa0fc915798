import { roles } from '../../shared/stores/gcp-secret-manager/permissions/grants.js'
import type { Needs } from './needs/form.js'
import {
  access,
  announcing,
  asked,
  describing,
  named,
  own,
  publishing,
  queueVariables,
  rotating,
  sending,
  settings,
  working,
} from './needs/parts.js'

/** What each function needs of the project, and nothing else. Terraform's module and its test, and the tests of the functions, are compared with this. */
export const needs = {
  rotate: {
    calledBy: 'subscription',
    required: ['GOOGLE_CLOUD_PROJECT', 'KEYTURN_SERVICE', ...queueVariables, 'KEYTURN_DEAD_LETTERS'],
    optional: settings,
    grants: {
      // It retires nothing, so that it disables and destroys no version of the secret; a staged value that was published is disabled.
      secret: publishing,
      place: [...publishing, ...named('versions.disable')],
      ...rotating,
      ...working,
      ...own,
    },
    secondsMax: 600, // the longest acknowledgement deadline
  },
  sweep: {
    calledBy: 'scheduler',
    required: ['GOOGLE_CLOUD_PROJECT', 'KEYTURN_SERVICE', ...queueVariables],
    optional: settings,
    grants: { secret: describing, place: describing, configuration: access, project: roles.list.permissions, ...sending, ...own },
    secondsMax: 1800, // the longest attempt of a job
  },
  work: {
    calledBy: 'queue',
    required: ['GOOGLE_CLOUD_PROJECT', 'KEYTURN_SERVICE', ...queueVariables, 'KEYTURN_DEAD_LETTERS'],
    optional: settings,
    grants: {
      secret: roles.secret.permissions,
      place: roles.place.permissions,
      ...rotating,
      ...announcing,
      ...working,
      ...own,
    },
    destroysLater: roles.secretDestroysLater.permissions,
    secondsMax: 900, // the dispatch deadline of a task
  },
  invoke: {
    calledBy: 'people',
    required: ['GOOGLE_CLOUD_PROJECT', 'KEYTURN_SERVICE'],
    optional: asked,
    // It answers who asked, and sends nothing.
    grants: {
      secret: roles.secret.permissions,
      place: roles.place.permissions,
      ...rotating,
      ...announcing,
      ...own,
    },
    destroysLater: roles.secretDestroysLater.permissions,
    secondsMax: 900, // the longest lease
  },
  jwks: {
    calledBy: 'everybody',
    required: ['GOOGLE_CLOUD_PROJECT', 'KEYTURN_JWKS'],
    optional: ['KEYTURN_JWKS_MAX_AGE'],
    grants: { 'public set': access },
    secondsMax: 60,
  },
} as const satisfies Readonly<Record<string, Needs>>

export type FunctionName = keyof typeof needs
