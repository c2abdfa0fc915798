/** Resolves as `made` does, and rejects with the signal's reason once it fires: for a library that heeds no signal. What is underway goes on, unheard. */
export async function unlessAborted<T>(signal: AbortSignal, made: Promise<T>): Promise<T> {
  let stop = () => {}
  const over = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
  })
  try {
    return await Promise.race([made, over])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
