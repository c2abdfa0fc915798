import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { helpSection, rotatorsSection, sectionOf, sessionSection } from '../../scripts/cli-docs/sections.js'
import { binariesOf } from '../harness/postgres-server.js'

const page = readFileSync('docs/cli.md', 'utf8')
const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'

describe('docs/cli.md says what the program says', () => {
  it('the README: every rotator, as it says of itself', async () =>
    assert.equal(sectionOf(readFileSync('README.md', 'utf8'), 'rotators'), await rotatorsSection(), 'run npm run docs:cli'))

  it('every help text', async () => assert.equal(sectionOf(page, 'help'), await helpSection(), 'run npm run docs:cli'))

  it('a whole session on a real PostgreSQL', { skip }, async () =>
    assert.equal(sectionOf(page, 'session'), await sessionSection(), 'run npm run docs:cli'),
  )
})
