import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { Keyturn } from '../harness/cli-process.js'
import { Walk, type Way } from '../harness/runbook-walk.js'
import { WebhookServer } from '../harness/webhook-server.js'
import { waysOfConsumers } from './runbook/consumers.js'
import { waysOfRotations } from './runbook/rotations.js'
import { waysOfValues } from './runbook/values.js'

/** docs/runbook.md has every state and the command that leads out of it. Each row is walked: the state is made, the command is run, and it is over. */
const program = new URL('../../cli/main.js', import.meta.url)
const ways: Readonly<Record<string, Way>> = { ...waysOfRotations, ...waysOfConsumers, ...waysOfValues }

function rowsOfPage(): readonly (readonly string[])[] {
  const lines = readFileSync('docs/runbook.md', 'utf8').split('\n')
  const from = lines.indexOf('| state | how it shows | command that leads out |') + 2
  const end = lines.findIndex((line, index) => index > from && !line.startsWith('|'))
  return lines.slice(from, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

describe('every state has a way out', () => {
  const rows = rowsOfPage()
  let keyturn: Keyturn
  let webhook: WebhookServer
  before(async () => {
    keyturn = await Keyturn.open(program)
    webhook = await WebhookServer.open()
    await keyturn.ok(['init'])
  })
  after(async () => {
    webhook?.close()
    await keyturn?.close()
  })

  it('the page has a row for each walk, and no row without one', () => {
    assert.ok(rows.length > 30)
    assert.deepEqual(rows.map(([state]) => state).sort(), Object.keys(ways).sort())
  })
  for (const [index, [state = '', , commands = '']] of rows.entries()) {
    it(state, async () => {
      const way = ways[state]
      assert.ok(way, `no walk for ${state}`)
      const walk = new Walk(keyturn, webhook, `s${index}`, commands)
      await way(walk)
      assert.ok(walk.led > 0, 'no command of the row was run')
    })
  }
})
