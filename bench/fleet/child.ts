import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { repository } from '../../test/harness/repository.js'

/** A built program of this folder in a process of its own, which is asked one thing after another. */
export class Child<Question, Answer> {
  readonly #process: ChildProcess
  #log = ''
  private constructor(process: ChildProcess) {
    this.#process = process
    process.stderr?.on('data', (chunk: Buffer) => {
      this.#log += chunk.toString()
    })
  }
  static start<Question, Answer>(
    name: string,
    { env = {}, flags = [] }: { env?: Readonly<Record<string, string>>; flags?: readonly string[] } = {},
  ): Child<Question, Answer> {
    const path = join(repository, `dist/bench/fleet/${name}.js`)
    const own = { PATH: process.env.PATH ?? '', ...env }
    return new Child(fork(path, { env: own, execArgv: [...flags], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] }))
  }

  /** What it wrote to its log. */
  get log(): string {
    return this.#log
  }

  async ask(question: Question): Promise<Answer> {
    const ended = once(this.#process, 'exit').then(() => {
      throw new Error(`The process ended: ${this.#log}`)
    })
    const answered = once(this.#process, 'message')
    this.#process.send(question as object)
    const [answer] = (await Promise.race([answered, ended])) as [Answer | { readonly failure: string }]
    if (typeof answer === 'object' && answer !== null && 'failure' in answer) throw new Error(answer.failure)
    return answer
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = once(this.#process, 'exit')
    this.#process.disconnect()
    await ended
  }
}

/** In that process: answers each question until the parent lets go. */
export function answerParent<Question, Answer>(answer: (question: Question) => Promise<Answer>): void {
  process.on('message', (question: Question) => {
    answer(question).then(
      (one) => process.send?.(one),
      (cause: unknown) => process.send?.({ failure: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) }),
    )
  })
  process.on('disconnect', () => process.exit(0))
}
