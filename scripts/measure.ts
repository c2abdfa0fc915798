import { parseArgs } from 'node:util'
import { showFigures } from './measure/print.js'
import { measure } from './measure/read.js'

/** `npm run measure` shows how dense the shipped code is, how long its functions are, and how much of it is documented. --json: one object on one line. */
const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })
const figures = measure(process.cwd())
console.log(values.json ? JSON.stringify(figures) : showFigures(figures))
