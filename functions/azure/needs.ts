import type { Needs } from './needs/form.js'
import { access, account, announcing, behaviour, hosting, identity, reading, setting, settings, vaults, working } from './needs/parts.js'

/**
 * What each function app needs, and nothing else. Terraform's module and its test are compared with this. The functions of the fleet are one app, so that
 * they share their rights: each of them sends work or does it.
 */
export const needs = {
  fleet: {
    functions: ['rotate', 'propagate', 'sweep', 'work', 'invoke'],
    required: account,
    optional: settings,
    host: [...identity, ...behaviour],
    grants: { ...vaults, ...reading, ...setting, ...working, ...announcing },
    predefined: hosting,
  },
  jwks: {
    functions: ['jwks'],
    required: ['KEYTURN_JWKS'],
    optional: ['KEYTURN_JWKS_MAX_AGE'],
    host: [...account, ...identity, ...behaviour],
    grants: { 'public set': access },
    predefined: hosting,
  },
} as const satisfies Readonly<Record<string, Needs>>

export type AppName = keyof typeof needs
