import { readFile, writeFile } from 'node:fs/promises'
import { helpSection, sessionSection, withSection } from './cli-docs/sections.js'

/** `npm run docs:cli`: writes the help texts and a real session into docs/cli.md; a test compares them. */
const path = 'docs/cli.md'
const page = await readFile(path, 'utf8')
await writeFile(path, withSection(withSection(page, 'help', await helpSection()), 'session', await sessionSection()))
console.log(`${path} is written.`)
