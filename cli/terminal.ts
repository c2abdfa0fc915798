import type { Readable, Writable } from 'node:stream'
import type { Command } from 'commander'
import type { Env } from '../shared/core/ports/env.js'

/** What a command has of the process that calls it. Who calls a command without a process of its own brings it. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown }
  readonly stdout: Screen
  readonly stderr: Screen
  /** Aborted: the command ends before its next effect. */
  readonly cancelled: AbortSignal
  /** In place of the system's. */
  readonly clock?: Pick<Env, 'now' | 'sleep'>
  /** Says what the caller gets as exit code; 0 where nothing is said. */
  exit(code: number): void
}
type Screen = Writable & { readonly isTTY?: boolean }

/** The terminal of this process. Ctrl-C ends a command before its next effect, not in the middle of one. */
export function processTerminal(): Terminal {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
  return {
    env: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    cancelled: interrupted.signal,
    exit: (code) => {
      process.exitCode = code
    },
    // Most commands read nothing, and asking for stdin opens it.
    get stdin() {
      return process.stdin
    },
  }
}

const terminals = new WeakMap<Command, Terminal>()

/** All commands of this program read and write there. */
export const useTerminal = (program: Command, terminal: Terminal): void => void terminals.set(program, terminal)

/** The terminal of the program that the command is part of. */
export function terminalOf(command: Command): Terminal {
  const there = terminals.get(command)
  if (there !== undefined) return there
  if (command.parent === null) throw new Error(`The program ${command.name()} has no terminal.`)
  return terminalOf(command.parent)
}
