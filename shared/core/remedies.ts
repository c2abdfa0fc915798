import type { Code } from './ports/errors.js'

/** The next step for each code, where the failing code knows no better one. */
export const remedies: Readonly<Record<Code, string>> = {
  bad_event: 'Correct the request and send it again.',
  bad_config: 'Correct the named setting, then run the same command again.',
  bad_policy: 'Correct the key with `keyturn policy <ref> key=value`.',
  bad_value: 'Put a corrected value with `keyturn put`.',
  too_large: 'Shorten the value.',
  not_found: 'Check the name with `keyturn list`.',
  denied: 'Give this identity the named permission, then run the same command again.',
  exists: 'Choose another name, or use the secret that is there.',
  unavailable: 'Check that the store can be reached and that its disk has room, then run the same command again.',
  throttled: 'Wait a minute, then run the same command again; ask for a higher quota if it happens often.',
  ambiguous: 'Run the same command again; it reads the state first.',
  conflict: 'Run the same command again; another process changed the secret meanwhile.',
  damaged: 'Restore the file from a backup; nothing was changed.',
  foreign_write: 'Find out who else writes this secret; then run `keyturn status` and decide whose value stays.',
  managed_elsewhere: 'Leave its rotation to the platform, or end that one first.',
  locked: 'Wait until the other process is done, or until its lease ends.',
  held: 'Run `keyturn status <ref>`: it says what holds it. Wait until the named time, or use `keyturn rotate <ref> --emergency --reason …`.',
  token_spent: 'Start a new rotation.',
  target_unreachable: 'Check host, port and network between here and the target, then run the same command again.',
  target_tls: 'Give the CA of the target in the secret (`ca`) or in KEYTURN_CA_FILE, and check the host name.',
  target_auth: 'Find out which password the target accepts, then give it with `keyturn put <ref>`, or set the stored one at the target.',
  password_not_checked: 'Make the target require a password by SCRAM for this login (pg_hba.conf: scram-sha-256).',
  not_propagated: 'Wait a minute, then run `keyturn rotate --resume`.',
  target_denied: 'Give the named login the right to change this credential.',
  target_read_only: "Point the secret's host at the writable endpoint.",
  rejected: 'Change the password rule in the policy so that the target accepts it.',
  cap_reached: 'At the issuer, delete a credential that nobody uses, then run `keyturn rotate --resume`.',
  verify_failed: 'Fix the named differences, then run `keyturn rotate --resume`.',
  admin_mismatch: 'Name the administrator of this target in keyturn-admin.',
  delivery_failed: 'Check that the consumer can be reached; the announcement is repeated by `keyturn sweep`.',
  delivery_refused: 'Correct the consumer in the configuration secret, then run `keyturn sweep`.',
  stuck:
    'Run `keyturn recover <ref>`: it tries every stored value once and names the one safe thing to do. If somebody changed the password past Keyturn, `keyturn put <ref>` tries the right one before anything is written.',
  audit_failed: 'Make the audit log writable again, then run the same command again.',
  internal: 'This is a bug: keep the message and report it.',
}

/** That of stuck where no login can try a value. */
export const remedyByAnswer =
  'Run keyturn put <ref>: it sets the value that you give at the target, and publishes it once the target says that it is in effect. Until then nothing is set.'

/** The next step of a code, with the name of the secret in it. */
export const nextFor = (code: Code, shown: string): string => remedies[code].replaceAll('<ref>', shown)
