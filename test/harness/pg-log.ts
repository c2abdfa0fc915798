import { setTimeout as delay } from 'node:timers/promises'
import { asSuper } from './postgres-client.js'
import type { PostgresServer } from './postgres-server.js'

/** One TCP connection as the server's log tells it. */
export interface Attempt {
  /** Absent where the client left before it said who it is. */
  readonly user?: string
  readonly accepted: boolean
  /** The password was wrong. */
  readonly refused: boolean
  readonly tls: boolean
  readonly lines: readonly string[]
}

let marks = 0

/** The log with everything in it that the server did up to now: it reaches us through a pipe, a little later than the answer. */
export async function settledLog(server: PostgresServer): Promise<string> {
  const mark = `mark-${++marks}-${process.pid}`
  await asSuper(server, `do $$ begin raise log '${mark}'; end $$`)
  for (let tries = 0; !server.log.includes(`LOG:  ${mark}`); tries++) {
    if (tries > 500) throw new Error('The log of the server did not arrive.')
    await delay(10)
  }
  return server.log
}

/** From here on the log is that of what is under test. */
export async function freshLog(server: PostgresServer): Promise<void> {
  await settledLog(server)
  server.clearLog()
}

/** The connections of everybody but the superuser, who only arranges and looks. */
export async function attemptsOn(server: PostgresServer): Promise<readonly Attempt[]> {
  return attemptsIn(await settledLog(server)).filter(({ user }) => user !== 'postgres')
}

export interface Counts {
  readonly connections: number
  readonly accepted: number
  readonly refused: number
}
export async function countsOn(server: PostgresServer): Promise<Counts> {
  const attempts = await attemptsOn(server)
  return {
    connections: attempts.length,
    accepted: attempts.filter(({ accepted }) => accepted).length,
    refused: attempts.filter(({ refused }) => refused).length,
  }
}

function attemptsIn(log: string): readonly Attempt[] {
  const processes = new Map<string, string[]>()
  for (const line of log.split('\n')) {
    const [, pid, text = ''] = /^\S+ \S+ \S+ \[(\d+)\] (.*)$/s.exec(line) ?? []
    if (pid === undefined) continue
    const lines = processes.get(pid) ?? []
    lines.push(text)
    processes.set(pid, lines)
  }
  return [...processes.values()].filter((lines) => lines.some((line) => line.includes('connection received:'))).map(attemptOf)
}

function attemptOf(lines: readonly string[]): Attempt {
  const authorized = lines.find((line) => line.includes('connection authorized:'))
  const failed = lines.find((line) => /FATAL: {2}password authentication failed for user/.test(line))
  const user =
    /authorized: user=(.*?) (?:database|application_name)=/s.exec(authorized ?? '')?.[1] ?? /for user "(.*)"$/s.exec(failed ?? '')?.[1]
  return {
    ...(user === undefined ? {} : { user }),
    accepted: authorized !== undefined,
    refused: failed !== undefined,
    tls: authorized?.includes('SSL enabled') === true,
    lines,
  }
}
