import { readFile, writeFile } from 'node:fs/promises'
import { helpSection, rotatorsSection, sessionSection, withSection } from './cli-docs/sections.js'

/** `npm run docs:cli`: writes the help texts and a real session into docs/cli.md, and the table of rotators into the README. A test compares them. */
const path = 'docs/cli.md'
const page = await readFile(path, 'utf8')
await writeFile(path, withSection(withSection(page, 'help', await helpSection()), 'session', await sessionSection()))
await writeFile('README.md', withSection(await readFile('README.md', 'utf8'), 'rotators', await rotatorsSection()))
console.log(`${path} and README.md are written.`)
