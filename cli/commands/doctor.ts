import { Command } from 'commander'
import { examine } from '../../shared/app/doctor.js'
import type { Finding } from '../../shared/app/finding.js'
import { counted } from '../../shared/core/counted.js'
import { RotationError } from '../../shared/core/errors.js'
import { optional } from '../../shared/core/optional.js'
import { action } from '../context.js'
import { storeOption } from '../options.js'
import { assertGoesOn } from '../signals.js'

const marks: Readonly<Record<Finding['level'], string>> = { good: '✓', warning: '!', wrong: '✗' }

/** Examines the installation and every secret of one store. bad_config if a finding is wrong; with --json it carries all findings. */
export const doctor = (): Command =>
  new Command('doctor')
    .description(
      'check configuration, permissions, routes, clock and every login without changing anything; every problem comes with its remedy',
    )
    .addOption(storeOption())
    .addHelpText('after', '\nExample:\n  keyturn doctor')
    .action(
      action(async ({ app, output }, { store }: { readonly store: string }) => {
        const found: Finding[] = []
        for await (const one of examine({
          config: app.config,
          local: app.isLocal(store),
          open: () => app.deps(`${store}:any`),
          deployed: app.deployed(store),
        })) {
          assertGoesOn(app.env)
          found.push(one)
          output.note(`${marks[one.level]} ${one.what}: ${one.says}`)
          if (one.next !== undefined) output.note(`    ${one.next}`)
        }
        const json = {
          findings: found.map(({ what, level, code, field, says, next }) => ({
            what,
            level,
            code: code ?? null,
            ...optional('field', field),
            says,
            next: next ?? null,
          })),
        }
        const bad = found.filter(({ level }) => level === 'wrong')
        const [first] = bad
        if (first === undefined) {
          output.result(json, [`${counted(found.length, 'finding')}, nothing is wrong.`])
          return
        }
        const error = new RotationError(
          'bad_config',
          `${bad.length} of ${counted(found.length, 'finding')} ${bad.length === 1 ? 'is' : 'are'} wrong. The first: ${first.what}: ${first.says.replace(/\.$/, '')}.`,
          {
            ...optional('field', first.field),
            next: first.next ?? 'See the findings above.',
          },
        )
        output.failure(error, json)
      }),
    )
