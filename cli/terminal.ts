import type { Readable, Writable } from 'node:stream'
import type { Command } from 'commander'
import type { Env } from '../shared/core/ports/env.js'
import { untilSignal } from './signals.js'

/** The parts of a process that a command uses. A caller that runs a command without a process of its own supplies them. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown }
  readonly stdout: Screen
  readonly stderr: Screen
  /** Aborted: the command ends before its next effect. The reason of a signal is an Interruption. */
  readonly cancelled: AbortSignal
  /** Replaces the system's clock. */
  readonly clock?: Pick<Env, 'now' | 'sleep'>
  /** Replaces the folder that this program was installed in. */
  readonly installation?: string
  /** Sets the exit code that the caller gets; 0 if it is never called. */
  exit(code: number): void
}
type Screen = Writable & { readonly isTTY?: boolean }

/** Makes the terminal of this process. A signal ends a command before its next effect, not in the middle of one. */
export function processTerminal(): Terminal {
  const cancelled = untilSignal()
  return {
    env: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    cancelled,
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

/** Lets all commands of this program read and write in this terminal. */
export const useTerminal = (program: Command, terminal: Terminal): void => void terminals.set(program, terminal)

/** The terminal of the program that the command is part of. */
export function terminalOf(command: Command): Terminal {
  const there = terminals.get(command)
  if (there !== undefined) return there
  if (command.parent === null) throw new Error(`The program ${command.name()} has no terminal.`)
  return terminalOf(command.parent)
}
