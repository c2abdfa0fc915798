import { PostgresServer, removeCopies } from '../test/harness/postgres-server.js'

/** What a run has opened. All of it is closed, last first, when the run is over, has failed or was told to end. */
export class Closing {
  readonly #closers: (() => Promise<unknown>)[] = []
  readonly #ending = new AbortController()
  #closed: Promise<void> | undefined

  /** Throws once closing has begun. What takes long to open asks between its steps. */
  assertGoing = (): void => this.#ending.signal.throwIfAborted()
  /** Opens what has a method of its own to be closed by. */
  open<One extends { close(): unknown }>(start: () => Promise<One>): Promise<One> {
    return this.openWith((one) => one.close(), start)
  }
  /** Opens a PostgreSQL of its own. */
  openPostgres(): Promise<PostgresServer> {
    return this.openWith(
      (one) => one.stop(),
      () => PostgresServer.start(),
    )
  }
  /** Opens what asks a server again and again. Closing does not wait for it: the server may be gone, and an answer may never come. */
  openLoops<One extends { close(): Promise<void> }>(start: () => Promise<One>): Promise<One> {
    return this.openWith((one) => void one.close().catch(() => undefined), start)
  }
  /** Opens something. Where closing begins before it is open, it is closed as soon as it is. */
  async openWith<One>(close: (one: One) => unknown, start: () => Promise<One>): Promise<One> {
    this.assertGoing()
    const started = start()
    this.#closers.push(() => started.then(close, () => undefined)) // the caller hears why it did not open
    return started
  }
  /** An AggregateError if something could not be closed; everything else is closed all the same. */
  close(): Promise<void> {
    this.#closed ??= this.#closeAll()
    return this.#closed
  }
  async #closeAll(): Promise<void> {
    this.#ending.abort(new Error('The run ends.'))
    const failures: unknown[] = []
    for (const close of this.#closers.reverse()) await close().catch((cause: unknown) => failures.push(cause))
    await removeCopies()
    if (failures.length > 0) throw new AggregateError(failures, 'Not everything could be closed.')
  }
}

const codes = { SIGINT: 130, SIGTERM: 143 } as const

/** Runs to its end, or until SIGINT, SIGTERM or a failure that nobody catches. Those end this process once everything is closed. */
export async function runToEnd(run: (closing: Closing) => Promise<void>): Promise<void> {
  const closing = new Closing()
  let endsWith: number | undefined
  const closed = (): Promise<void> =>
    closing.close().catch((cause: AggregateError) => {
      process.exitCode = 1
      console.error(`${cause.message} ${cause.errors.join('; ')}`)
    })
  const end = (code: number, said: unknown): void => {
    if (endsWith !== undefined) return // loops ask what is gone
    endsWith = code
    console.error(said)
    void closed().then(() => process.exit(endsWith))
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => end(codes[signal], `${signal}: closing everything.`))
  process.on('uncaughtException', (cause) => end(1, cause))
  await run(closing).catch((cause: unknown) => end(1, cause))
  await closed()
}
