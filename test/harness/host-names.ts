import dns from 'node:dns'

/** Names under `ending` are this machine, for this process; gives back what was. Nothing outside is asked. */
export function resolveHere(ending: string): () => void {
  const real = dns.lookup
  const here = (name: string, options: unknown, done?: (...answer: unknown[]) => void): void => {
    const answer = done ?? (options as (...answer: unknown[]) => void)
    if (!name.endsWith(ending)) return void Reflect.apply(real, dns, [name, options, done])
    const all = typeof options === 'object' && options !== null && 'all' in options && options.all === true
    process.nextTick(() => (all ? answer(null, [{ address: '127.0.0.1', family: 4 }]) : answer(null, '127.0.0.1', 4)))
  }
  Object.assign(dns, { lookup: here })
  return () => void Object.assign(dns, { lookup: real })
}

/** Names under `ending` do not resolve, for this process, as soon as they are asked for; gives back what was. Nothing outside is asked. */
export function resolveNowhere(ending: string): () => void {
  const real = dns.lookup
  const nowhere = (name: string, options: unknown, done?: (...answer: unknown[]) => void): void => {
    if (!name.endsWith(ending)) return void Reflect.apply(real, dns, [name, options, done])
    const answer = done ?? (options as (...answer: unknown[]) => void)
    const cause = Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: name })
    process.nextTick(() => answer(cause))
  }
  Object.assign(dns, { lookup: nowhere })
  return () => void Object.assign(dns, { lookup: real })
}
