import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'

/** What crept in before, and what says it in English. Whoever reads a message at three in the morning reads it once. */
const phrases: readonly (readonly [phrase: RegExp, instead: string])[] = [
  [/\banew\b/, 'again'],
  [/\bmis-?set\b/i, 'misconfigured'],
  [/\bmend(s|ed|ing)?\b/i, 'fix'],
  [/\bof before\b/, 'old, previous'],
  [/\b(stand|stands|stood) (in|there|beside|under)\b/, 'is in, is there'],
  [/\b(go|goes|went|going) on with\b/, 'continue with'],
  [/\bnothing (is|was|were) to be done\b/i, 'nothing to do'],
  [/\b(leave|leaves|left|leaving) [^.'`]{0,24}\baway\b/i, 'omit, remove'],
  [/(?<!\bThere )(?<!\bthere )\bis no (text|JSON|UTF-8|number|token|duration|step|object|list|index|proof|form|terminal)\b/, 'is not a …'],
  [/\bhas not the\b/, 'does not have the'],
  [/\btold (of|again)\b/, 'notified of, notified again'],
  [/\bgoes by\b/, 'depends on, decides'],
  [/\bcould not be told\b/, 'could not be notified'],
  [/\bexists already\b/, 'already exists'],
]
const places = ['README.md', 'CONTRIBUTING.md', 'changelog', 'cli', 'docs', 'functions', 'infra', 'scripts', 'serverless.yml', 'shared']

function* filesIn(path: string): Iterable<string> {
  if (!statSync(path).isDirectory()) yield path
  else for (const name of readdirSync(path)) yield* filesIn(join(path, name))
}

it('says nothing again that was put into plain English', () => {
  const found = places
    .flatMap((place) => [...filesIn(place)])
    .flatMap((file) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .flatMap((line, index) =>
          phrases.flatMap(([phrase, instead]) =>
            phrase.test(line) ? `${file}:${index + 1}: "${phrase.exec(line)?.[0]}": ${instead}` : [],
          ),
        ),
    )
  assert.deepEqual(found, [])
})
