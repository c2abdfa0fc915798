import { open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Command } from 'commander'
import { onDisk } from '../../shared/core/disk-error.js'
import { RotationError } from '../../shared/core/errors.js'
import type { SecretState } from '../../shared/core/ports/store.js'
import type { SecretText } from '../../shared/core/secret-text.js'
import { action, type Run } from '../context.js'
import { type Json, showTime } from '../output.js'

interface GetOptions {
  readonly reveal?: boolean
  readonly outputFile?: string
}

/** Shows a secret without its value. bad_event for --reveal without a terminal or with --json, and for an --output-file that already exists. */
export const get = (): Command =>
  new Command('get')
    .description('show what is known about a secret; its value only on request')
    .argument('<ref>', 'the secret, such as file:db')
    .option('--reveal', 'print the value, only to a terminal')
    .option('--output-file <path>', 'write the value to a new file that only you can read (0600)')
    .addHelpText('after', '\nExample:\n  keyturn get file:db\n  keyturn get file:db --output-file db.json')
    .action(
      action(async ({ app, output, terminal }, refText: string, options: GetOptions) => {
        const store = await app.admin(refText)
        const state = await store.describe(await store.resolve(refText))
        const wanted = options.reveal === true || options.outputFile !== undefined
        if (wanted && state.current) await give(options, { output, terminal }, await store.read(state.ref, state.current.id))
        const file = options.outputFile === undefined ? {} : { file: options.outputFile }
        if (options.reveal !== true) output.result({ ...metadata(state), ...file }, linesOf(state, options.outputFile))
      }),
    )

async function give(
  { reveal, outputFile }: GetOptions,
  { output, terminal }: Pick<Run, 'output' | 'terminal'>,
  value: SecretText,
): Promise<void> {
  if (reveal) {
    if (!terminal.stdout.isTTY || output.json) {
      throw new RotationError('bad_event', 'A value is printed only to a terminal, never into a pipe, a log or JSON.', {
        field: 'reveal',
        next: 'Use --output-file.',
      })
    }
    terminal.stdout.write(`${value.reveal()}\n`)
  }
  if (outputFile !== undefined) await writeNew(outputFile, value)
}

/** Writes all of the value or nothing: a file that a full disk cut off is taken away again. */
async function writeNew(path: string, value: SecretText): Promise<void> {
  const misnamed = { code: 'bad_event', next: 'Name a file that does not exist yet, in a folder that exists.' } as const
  await onDisk({ path, tried: 'written', folder: dirname(path), field: 'output-file', misnamed }, async () => {
    const file = await open(path, 'wx', 0o600)
    try {
      await file.writeFile(value.reveal())
      await file.sync()
    } catch (cause) {
      await unlink(path).catch(() => undefined) // the first error is the one to report
      throw cause
    } finally {
      await file.close()
    }
  })
}

const metadata = (state: SecretState): { readonly [key: string]: Json | undefined } => ({
  ref: state.ref.shown,
  version: state.current?.id ?? null,
  previous: state.previous?.id ?? null,
  pending: state.pending?.id ?? null,
  publishedAt: state.current === undefined ? null : showTime(state.publishedAt),
  policy: state.policy,
})

function linesOf(state: SecretState, file: string | undefined): readonly string[] {
  const shown = Object.entries(metadata(state)).filter(([, value]) => typeof value === 'string')
  const lines = shown.map(([key, value]) => `${key.padEnd(12)} ${String(value)}`)
  return [
    ...lines,
    ...Object.entries(state.policy).map(([key, value]) => `${key}=${value}`),
    ...(file === undefined ? [] : [`The value is in ${file}.`]),
  ]
}
