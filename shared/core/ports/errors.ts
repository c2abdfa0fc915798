/**
 * The code table. What the caller does: `retry` = the same call again, bounded · `reread` = a race was lost, decide again · `wait` = not now ·
 * `human` = stuck until somebody acts · `fix` = wrong input or set-up. docs/runbook.md has one entry per code; a test compares.
 */
export const codes = {
  bad_event: 'fix',
  bad_config: 'fix',
  bad_policy: 'fix',
  bad_value: 'fix',
  too_large: 'fix',
  not_found: 'fix',
  denied: 'fix',
  exists: 'fix',
  unavailable: 'retry',
  throttled: 'retry', // the store or the platform asks for fewer calls
  ambiguous: 'reread', // sent, no answer: the effect may have happened; never blind-retried
  conflict: 'reread', // a compare-and-set was lost
  damaged: 'human', // what a store keeps was cut off or edited without us; it is left as it is
  foreign_write: 'human', // somebody else published between our test and our publish
  managed_elsewhere: 'fix', // the platform itself rotates this secret, and nothing of it is written
  locked: 'wait', // another holder's lease is alive
  held: 'wait', // previous still in use, announcement due, grace, window, freeze, paused, announce time
  token_spent: 'wait', // this token cannot carry another value; a new rotation must be started
  target_unreachable: 'retry',
  target_tls: 'fix',
  target_auth: 'human', // the target refused a login: never retried with the same credential
  password_not_checked: 'fix', // the server let us in without checking the password: proves nothing
  not_propagated: 'retry', // a NEW credential is not accepted yet, and the rotator says traits.propagates
  target_denied: 'fix',
  target_read_only: 'fix',
  rejected: 'reread', // the target's policy refused the value, provably not applied
  cap_reached: 'wait',
  verify_failed: 'human',
  admin_mismatch: 'fix',
  delivery_failed: 'retry', // a consumer did not take the announcement; repeated later
  delivery_refused: 'fix', // a consumer refuses announcements, or may not be reached at all
  stuck: 'human',
  audit_failed: 'human',
  internal: 'human',
} as const satisfies Record<string, Remedy>

/** What the caller does about an error. */
export type Remedy = 'fix' | 'retry' | 'reread' | 'wait' | 'human'
/** Stable: a program decides by it, a person reads the message. */
export type Code = keyof typeof codes
