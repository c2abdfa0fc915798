import * as invoke from './invoke.js'
import * as jwks from './jwks.js'
import * as propagate from './propagate.js'
import * as rotate from './rotate.js'
import * as sweep from './sweep.js'
import * as work from './work.js'

/** An app that serves a public set has nothing else: its identity may read that set alone, and everybody may call it. */
const functions = process.env.KEYTURN_JWKS ? [jwks] : [rotate, propagate, sweep, work, invoke]

for (const { register } of functions) register()
