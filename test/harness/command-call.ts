import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { runCommand } from '../../cli/run-command.js'
import type { Terminal } from '../../cli/terminal.js'
import { optional } from '../../shared/core/optional.js'

/** What a command said, and its exit code. */
export interface Called {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A clock that can be set ahead. What waits for it waits no longer than others need to go on, and then it is as late as it had to be. */
export class Clock {
  #aheadMs = 0
  readonly now = (): number => Date.now() + this.#aheadMs
  readonly sleep = async (ms: number): Promise<void> => {
    const waitedMs = Math.min(ms, 20)
    await delay(waitedMs)
    this.#aheadMs += ms - waitedMs
  }
  setAhead(ms: number): void {
    this.#aheadMs += ms
  }
}

/** Calls one command line in this process, with an environment, an input, a clock and an output of its own; what it reads is not a terminal. */
export async function callCommand(
  words: readonly string[],
  {
    env,
    clock,
    installation,
    cancelled = new AbortController().signal,
  }: Pick<Terminal, 'env' | 'clock' | 'installation'> & Partial<Pick<Terminal, 'cancelled'>>,
  stdin: string | Buffer = '',
): Promise<Called> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const said = Promise.all([buffer(stdout), buffer(stderr)])
  let code = 0
  const exit = (wanted: number): void => {
    code = wanted
  }
  try {
    const input = Readable.from(stdin.length === 0 ? [] : [Buffer.from(stdin)])
    const replaced = { ...optional('clock', clock), ...optional('installation', installation) }
    await runCommand(words, { env, stdin: input, stdout, stderr, cancelled, exit, ...replaced })
  } finally {
    for (const stream of [stdout, stderr]) stream.end()
  }
  const [out, errors] = (await said).map((bytes) => bytes.toString('utf8'))
  return { code, stdout: out ?? '', stderr: errors ?? '' }
}
