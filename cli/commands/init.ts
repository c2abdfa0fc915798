import { Command } from 'commander'
import { createFileHome } from '../../shared/app/init.js'
import { action } from '../context.js'
import { initAzure } from './init-azure.js'
import { initGcp } from './init-gcp.js'

/** Creates the folder of the file store and its key file; with KEYTURN_KEY set, no key file. exists if there is a key file already; it stays. */
export const init = (): Command =>
  new Command('init')
    .description('create the folder of the file store and, unless KEYTURN_KEY is set, its key')
    .addHelpText('after', '\nExample:\n  keyturn init --home ./vault')
    .addCommand(initAzure())
    .addCommand(initGcp())
    .action(
      action(async ({ app, output }) => {
        const made = await createFileHome(app.config, app.env)
        output.result({ home: app.config.home, keyFile: made.keyFile ?? null }, [
          `The file store is ready in ${app.config.home}.`,
          made.keyFile
            ? `Its key is ${made.keyFile} (mode 0600). Keep a copy elsewhere: without it no value can be read again.`
            : 'Its key is KEYTURN_KEY. Keyturn does not store it.',
        ])
      }),
    )
