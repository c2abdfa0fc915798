import { Command } from 'commander'
import { checkAudit, checkAuditText } from '../../shared/app/audit-check.js'
import { counted } from '../../shared/core/counted.js'
import { diskError, onDisk, UnfitFileError } from '../../shared/core/disk-error.js'
import { RotationError } from '../../shared/core/errors.js'
import type { Env } from '../../shared/core/ports/env.js'
import { action } from '../context.js'
import { openInput } from '../read-bounded.js'
import { assertGoesOn } from '../signals.js'

/** Reads the whole audit log and changes nothing. damaged if a line was changed or the end was cut off, not_found if it is not there, bad_config if it is a pipe or a device, denied if it may not be read. */
export const audit = (): Command =>
  new Command('audit')
    .description('check the audit log')
    .addHelpText('after', '\nExample:\n  keyturn audit verify')
    .addCommand(
      new Command('verify')
        .description('check that no line of the audit log was changed or removed')
        .option('-f, --file <path>', 'the log file (default: the log of this store)')
        .option('--head <hash>', 'a head that an earlier run printed; if the log still contains it, the end was not cut off')
        .addHelpText('after', '\nExample:\n  keyturn audit verify --head 3f1c…')
        .action(
          action(async ({ app, output }, { file: named, head }: { readonly file?: string; readonly head?: string }) => {
            const file = named ?? app.config.audit
            if (head !== undefined && !/^[0-9a-f]{64}$/.test(head))
              throw new RotationError('bad_event', `"${head}" is not a head.`, {
                field: 'head',
                next: 'Give the 64 hexadecimal digits that an earlier run printed.',
              })
            const found = await explained(file, app.env, () =>
              named === undefined ? checkLog(file, head) : checkAuditText(openInput(named, app.env.cancelled), head),
            )
            assertUnaltered(found, file, head)
            const { records, torn } = found
            const incomplete = torn > 0 ? `; ${torn} incomplete, written by a process that was killed` : ''
            output.result({ file, records, torn, head: found.head }, [
              `${counted(records, 'record')}, none changed${incomplete}. Head: ${found.head ?? 'none'}`,
            ])
          }),
        ),
    )

type Checked = Awaited<ReturnType<typeof checkAudit>>

function assertUnaltered({ broken, expectedFound }: Checked, file: string, head: string | undefined): void {
  const fail = (why: string): never => {
    throw new RotationError('damaged', `The audit log ${file} was altered: ${why}.`, {
      field: 'file',
      next: 'Compare it with a backup, and find out who can write to it.',
    })
  }
  if (broken.length === 1) fail(`line ${broken[0]} was changed, or a line before it is missing`)
  if (broken.length > 1) fail(`lines ${broken.slice(0, 10).join(', ')} were changed, or lines before them are missing`)
  if (!expectedFound) fail(`the head ${head} is missing: the end was cut off`)
}

/** The log of this store. bad_config where something else is in its place. */
async function checkLog(path: string, head: string | undefined): Promise<Checked> {
  try {
    return await checkAudit(path, head)
  } catch (cause) {
    throw cause instanceof UnfitFileError ? diskError(cause, { path, tried: 'read', field: 'KEYTURN_AUDIT' }) : cause
  }
}

async function explained(file: string, env: Pick<Env, 'cancelled'>, act: () => Promise<Checked>): Promise<Checked> {
  const misnamed = { code: 'not_found', next: 'Give its path with --file.' } as const
  try {
    return await onDisk({ path: file, tried: 'read', field: 'file', misnamed }, act)
  } catch (cause) {
    assertGoesOn(env) // a signal ended the wait for a pipe
    throw cause
  }
}
