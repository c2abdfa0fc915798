import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

/** A program that is not run, but stood for. */
export interface StoodFor {
  readonly name: string
  /** What a shell runs in its place once it has noted the words. */
  readonly answers: string
}

/**
 * Runs the text in a real shell, with a program that only notes what it is called with: each word with a NUL behind it, and an empty one behind each
 * call. A command that fails ends it.
 */
export function callsIn(
  text: string,
  { name, answers }: StoodFor,
  { shell = '/bin/sh', variables = {} }: { readonly shell?: string; readonly variables?: Readonly<Record<string, string>> } = {},
): readonly (readonly string[])[] {
  const folder = mkdtempSync(join(tmpdir(), 'keyturn-shell-'))
  const [program, calls] = [join(folder, name), join(folder, 'calls')]
  try {
    writeFileSync(program, `#!/bin/sh\nprintf '%s\\0' "$@" >> "$STOOD_FOR_CALLS"\nprintf '\\0' >> "$STOOD_FOR_CALLS"\n${answers}`)
    chmodSync(program, 0o700)
    writeFileSync(calls, '')
    const env = { PATH: [folder, process.env.PATH].join(delimiter), STOOD_FOR_CALLS: calls, ...variables }
    execFileSync(shell, ['-eu'], { input: text, env, stdio: ['pipe', 'ignore', 'pipe'], cwd: folder })
    const words = readFileSync(calls, 'utf8')
      .split('\0\0')
      .filter((call) => call !== '')
    return words.map((call) => call.split('\0'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}
