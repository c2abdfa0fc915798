/** The same call, made when it is first asked for, and at most once; a failure is kept, too. */
export function atMostOnce<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}
