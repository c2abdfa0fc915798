import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { parseConfiguration } from '../../shared/app/configuration.js'
import { codes } from '../../shared/core/ports/errors.js'
import type { Consumer, Notifier } from '../../shared/core/ports/notifier.js'
import { consumerPhases } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { loadNotifier, type NotifierKind } from '../../shared/notifiers/registry.js'
import type { NotifierHarness } from '../harness/notifiers.js'
import { change, context, env } from '../harness/webhook-server.js'

/** What the lifecycle relies on, whoever is told. */
export function notifierContract(kind: NotifierKind, open: () => Promise<NotifierHarness>): void {
  describe(`notifier ${kind}`, () => {
    let harness: NotifierHarness
    let notifier: Notifier
    before(async () => {
      harness = await open()
      notifier = await loadNotifier(kind)
    })
    after(() => harness.close())

    it('is what it is registered as', () => assert.equal(notifier.kind, kind))

    const configured = (required: boolean): Consumer => {
      const { key, settings } = harness.consumer
      const { access, ...set } = JSON.parse(settings.reveal()) as { readonly access?: object; readonly cluster?: string }
      const text = { clusters: access && set.cluster ? { [set.cluster]: access } : {}, consumers: { [key]: { kind, required, ...set } } }
      return parseConfiguration(new SecretText(JSON.stringify(text))).consumers[key] ?? assert.fail()
    }

    it('is told by a configuration that names it', async () => {
      const { evidence } = await notifier.advance(change, configured(harness.consumer.required), context())
      assert.ok(evidence.length > 3)
    })

    it('can be required where it can prove something, and nowhere else', () => {
      if (harness.proves === 'nothing') assert.throws(() => configured(true), { code: 'bad_config' })
      else assert.ok(configured(true).required)
    })

    it('tells as often as it is asked, with a phase and words for people', async () => {
      for (let turn = 0; turn < 3; turn++) {
        const { phase, evidence } = await notifier.advance(change, harness.consumer, context())
        assert.ok(consumerPhases.includes(phase))
        assert.ok(evidence.length > 3)
      }
    })

    it('without a receipt nobody is drained', async () =>
      assert.notEqual((await notifier.advance(change, harness.consumer, context())).phase, 'drained'))

    it('takes a received receipt for evidence, unless it looks for itself or can prove nothing', async () => {
      const receipt = { version: change.version, phase: 'drained', at: env.now(), received: true } as const
      const { phase } = await notifier.advance(change, harness.consumer, { ...context(), receipt })
      assert.equal(phase === 'drained', harness.proves === 'drained' && !harness.looksItself)
    })

    it('a receipt that is only a cache proves nothing', async () => {
      const receipt = { version: change.version, phase: 'drained', at: env.now() } as const
      assert.notEqual((await notifier.advance(change, harness.consumer, { ...context(), receipt })).phase, 'drained')
    })

    it('preflight sends nothing and gives a verdict', async () => {
      const { verdict } = await notifier.preflight(harness.consumer, context())
      assert.ok(['ok', 'unknown', 'refuse'].includes(verdict))
    })

    it('names every error by a code of the table, and shows no key', async () => {
      assert.ok(notifier.classify(new Error('x')) in codes)
      const said = inspect([await notifier.advance(change, harness.consumer, context()), env.lines, harness.consumer], { depth: 9 })
      if (harness.canary !== undefined) assert.ok(!said.includes(harness.canary))
    })
  })
}
