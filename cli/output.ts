import { diskError } from '../shared/core/disk-error.js'
import { RotationError, systemCodeOf } from '../shared/core/errors.js'
import { optional } from '../shared/core/optional.js'
import type { Env } from '../shared/core/ports/env.js'
import type { Remedy } from '../shared/core/ports/errors.js'
import { Interruption } from './signals.js'
import type { Terminal } from './terminal.js'

/**
 * Exit codes follow what the caller must do, not the error code: 2 correct something, 75 try again (EX_TEMPFAIL), 3 wait, 4 a person must look. A
 * command that a signal ended before it was done has 128 and the number of the signal instead.
 */
export const exitCodes = { fix: 2, retry: 75, reread: 75, wait: 3, human: 4 } as const satisfies Record<Remedy, number>

/** What JSON can hold; an undefined member is not written. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined }

/** Where a command's result goes: lines for people, or one JSON object on one line, last on stdout. */
export interface Output {
  readonly json: boolean
  result(object: { readonly [key: string]: Json | undefined }, lines: readonly string[]): void
  /** Progress and remarks, on stderr; nothing with --json. */
  note(text: string): void
  /** Reports the error and sets its exit code. `found`: what is known besides the error, for --json. */
  failure(cause: unknown, found?: { readonly [key: string]: Json | undefined }): void
}

/** Writes results to stdout, and failures too with `json`. A failed call of the system is explained; any other error that is not ours is internal. */
export function createOutput(json: boolean, { env, stdout, stderr, cancelled, exit }: Terminal): Output {
  const line = (stream: Terminal['stdout'], text: string): void => void stream.write(`${text}\n`)
  return {
    json,
    result: (object, lines) => {
      if (json) line(stdout, JSON.stringify({ ok: true, ...object }))
      else for (const text of lines) line(stdout, text)
    },
    note: (text) => {
      if (!json) line(stderr, text)
    },
    failure: (thrown, found = {}) => {
      const cause = explained(thrown)
      const known = cause instanceof RotationError
      if (!known && env.KEYTURN_DEBUG === '1') stderr.write(traceOf(cause))
      const { code, message, next, field, remedy } = known ? cause : unexpectedError(cause)
      if (json) {
        const error = { code, message, next, remedy, ...optional('field', field) }
        line(stdout, JSON.stringify({ ok: false, ...found, error }))
      } else {
        const what = field === undefined ? code : `${code} (${field})`
        line(stderr, `keyturn: ${what}: ${message}\n${next}`)
      }
      exit(cancelled.reason instanceof Interruption ? cancelled.reason.exitCode : exitCodes[remedy])
    },
  }
}

/**
 * What is printed may be lost, and never stops or fails the work: the exit code is that of the work. A reader that goes away (`keyturn … | head`) ends
 * the output quietly; any other loss, such as a full disk, is said once on stderr if that still works.
 */
export function outliveOutputs({ stdout, stderr }: Pick<Terminal, 'stdout' | 'stderr'>): void {
  let said = false
  stdout.on('error', (cause) => {
    const code = systemCodeOf(cause)
    if (code === 'EPIPE' || said) return
    said = true
    stderr.write(
      `keyturn: the output could not be written to stdout (${code ?? 'unknown'}). The exit code is that of the command all the same.\n`,
    )
  })
  stderr.on('error', () => undefined) // there is no place left where this could be said
}

/** A failed call of the system on a path that nobody explained where it was made. */
const explained = (cause: unknown): unknown =>
  cause instanceof Error && 'path' in cause && typeof cause.path === 'string'
    ? diskError(cause, { path: cause.path, tried: 'used' })
    : cause

/** Shows only the kind of an unexpected error, since its message might hold anything. KEYTURN_DEBUG=1 shows where it came from. */
function unexpectedError(cause: unknown): RotationError {
  const name = cause instanceof Error ? cause.name : typeof cause
  return new RotationError('internal', `An unexpected ${name} ended the command.`, {
    next: 'Run it again with KEYTURN_DEBUG=1 and report the output.',
  })
}

/** Where an error came from, without its message. */
const traceOf = (cause: unknown): string => (cause instanceof Error ? `${(cause.stack ?? '').split('\n').slice(1).join('\n')}\n` : '')

/** Log codes that a person should see without asking; --verbose shows all. */
const remarkable: Readonly<Record<string, string>> = {
  plaintext: 'plaintext connection, as the secret says',
  retry: 'trying again',
  put_untested: 'stored without a test: no rotator knows this value',
  audit_outcome_lost: 'an outcome could not be recorded in the audit log',
  published: 'published',
  config_missing: 'the configuration secret could not be used; continuing without it',
  config_kept: 'the configuration secret is broken; the last good version is used',
  receipt_refused: 'a receipt was not accepted',
  lease_not_ended: 'the lease could not be released; it expires by itself',
}

/** Log codes that go to stderr with --json, too: a timer that runs the command has no other place to show them. */
const always = ['published', 'config_kept', 'config_missing', 'receipt_refused']

/** Log codes that say the same at each connection: once for each host is enough. */
const oncePerHost = ['plaintext']
/** Members that mean something to programs and to the tests of the decision table. */
const forPrograms = ['row']

/**
 * Shows the log lines that a person should see; with `verbose`, all, and each time. With --json only those in `always`, each a JSON object on stderr.
 */
export function logTo(output: Output, verbose: boolean, { stderr }: Terminal): Env['log'] {
  const said = new Set<string>()
  return (code, fields) => {
    const text = remarkable[code]
    if (!verbose && (text === undefined || said.has(`${code} ${fields.host}`))) return
    if (oncePerHost.includes(code)) said.add(`${code} ${fields.host}`)
    if (output.json && always.includes(code)) {
      stderr.write(`${JSON.stringify({ log: code, ...fields })}\n`)
      return
    }
    const details = Object.entries(fields).flatMap(([key, value]) => (forPrograms.includes(key) ? [] : [`${key} ${value}`]))
    output.note(`· ${text ?? code} (${details.join(', ')})`)
  }
}

/** Shows epoch milliseconds as ISO 8601 in UTC. RangeError for a number that is not a time. */
export const showTime = (ms: number): string => new Date(ms).toISOString()

/** Pads each column to its widest cell, with two spaces between. The first row sets how many columns are padded. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
