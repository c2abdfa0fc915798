import { Command } from 'commander'
import { checkConfiguration } from '../../shared/app/check-configuration.js'
import { assertClearValue } from '../../shared/app/infer.js'
import type { App } from '../../shared/app/wire.js'
import { codeOf } from '../../shared/core/errors.js'
import type { SecretState } from '../../shared/core/ports/store.js'
import type { SecretRef, Token } from '../../shared/core/ports/words.js'
import { readShape } from '../../shared/core/shapes/index.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { announceAfter } from '../announced.js'
import { action } from '../context.js'
import { readValue } from '../read-value.js'

/** Whether it is the configuration secret. In a store that knows a secret only once it is there, a new one is compared as it was typed. */
async function isConfiguration(app: App, typed: string, ref: SecretRef | undefined): Promise<boolean> {
  const { configuration } = app.config
  if (configuration === undefined || ref === undefined) return typed === configuration
  const named = await (await app.admin(configuration)).resolve(configuration)
  return named.store === ref.store && named.key === ref.key
}

/** undefined for what is not there. */
async function orAbsent<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (cause) {
    if (codeOf(cause) === 'not_found') return undefined
    throw cause
  }
}

const namesRotator = (state?: SecretState): boolean => ['keyturn-rotator', 'keyturn-parts'].some((key) => key in (state?.policy ?? {}))

/** Creates a secret, or publishes a new version by a rotation and announces it. Each call for an existing secret is a rotation of its own. */
export const put = (): Command =>
  new Command('put')
    .description('store a value as a new secret, or as a new version that is tested before it is published')
    .argument('<ref>', 'the secret, such as file:db')
    .option('-f, --file <path>', 'read the value from a file (default: stdin or a prompt)')
    .addHelpText('after', '\nExample:\n  keyturn put file:db --file db.json\n  pass show db | keyturn put file:db')
    .action(
      action(async ({ app, output, terminal }, refText: string, options: { readonly file?: string }) => {
        const deps = await app.deps(refText)
        const store = await app.admin(refText)
        const ref = await orAbsent(store.resolve(refText))
        const value = await readValue(options.file, { name: ref?.shown ?? refText, bytesMax: store.traits.valueBytesMax }, terminal)
        readShape(value) // refuses a malformed text before it is stored
        if (await isConfiguration(app, refText, ref)) checkConfiguration(value) // a broken one would break every command that reads it
        const state = ref && (await orAbsent(store.describe(ref)))
        // A rotation asks the rotator that the policy names; where none is named yet, the value says what it is.
        if (!namesRotator(state)) await assertClearValue(value)
        if (state === undefined) {
          const { shown } = await store.create(ref?.shown ?? refText, value, {})
          const next = `keyturn adopt ${shown}`
          output.result({ ref: shown, outcome: 'created', next }, [`${shown} is stored. It is not rotated yet; next: ${next}`])
          return
        }
        const token = Buffer.from(app.env.random(16)).toString('hex') as Token
        const { shown } = state.ref
        const result = await rotate(deps, { kind: 'put', ref: shown, at: app.env.now(), token }, value)
        await announceAfter(deps, shown, output)
        output.result({ ref: shown, outcome: result.outcome, version: result.version ?? null }, [
          `${shown} has a new current version ${result.version}.`,
        ])
      }),
    )
