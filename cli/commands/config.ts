import { Command } from 'commander'
import { checkConfiguration } from '../../shared/app/check-configuration.js'
import { configSchema } from '../../shared/app/config-schema.js'
import { counted } from '../../shared/core/counted.js'
import { RotationError } from '../../shared/core/errors.js'
import type { Consumer } from '../../shared/core/ports/notifier.js'
import { action } from '../context.js'
import { readValue } from '../read-value.js'

/** Checks a configuration from a file or stdin and stores nothing. bad_config names every place that is wrong. */
export const config = (): Command =>
  new Command('config')
    .description('check the configuration secret: consumers, freezes, defaults, pause')
    .addHelpText('after', '\nExample:\n  keyturn config check -f keyturn.json')
    .addCommand(
      new Command('check')
        .description('check a configuration and name every mistake in it; nothing is stored')
        .option('-f, --file <path>', 'the file (default: stdin)')
        .addHelpText('after', '\nExample:\n  keyturn config check -f keyturn.json && keyturn put file:config -f keyturn.json')
        .action(
          action(async ({ output, terminal }, { file }: { readonly file?: string }) => {
            const { consumers, freezes, paused, defaults } = checkConfiguration(await readValue(file, wanted, terminal))
            const all = Object.values(consumers).map(({ key, kind, required }) => ({ key, kind, required }))
            const names = all.map(shownConsumer).join('; ') || 'none'
            const pause = paused ? ', PAUSED' : ''
            output.result({ consumers: all, freezes: freezes.length, paused, defaults: Object.keys(defaults) }, [
              `The configuration is valid: ${counted(all.length, 'consumer')} (${names}), ${counted(freezes.length, 'freeze')}${pause}.`,
            ])
          }),
        ),
    )

/** No store takes a longer value. */
const wanted = { name: 'the configuration', bytesMax: 65_536 }

const shownConsumer = ({ key, kind, required }: Pick<Consumer, 'key' | 'kind' | 'required'>): string =>
  `${key} ${kind}${required ? ', required' : ''}`

/** Prints the JSON Schema of the configuration secret. bad_event for any word other than `config`. */
export const schema = (): Command =>
  new Command('schema')
    .description('print a JSON Schema')
    .argument('<what>', 'config')
    .addHelpText('after', '\nExample:\n  keyturn schema config > keyturn.schema.json')
    .action(
      action(async ({ output }, what: string) => {
        if (what !== 'config')
          throw new RotationError('bad_event', `There is no schema "${what}".`, { field: 'what', next: 'Run keyturn schema config.' })
        const text = configSchema()
        output.result({ schema: text }, [JSON.stringify(text, null, 2)])
      }),
    )
