import { once } from 'node:events'
import { Command } from 'commander'
import { createReceiver } from '../../shared/app/receive.js'
import { RotationError, systemCodeOf } from '../../shared/core/errors.js'
import { action } from '../context.js'

/** Listens for callbacks until it is interrupted, which is success. bad_event for a malformed address, bad_config if it cannot listen there. */
export const receive = (): Command =>
  new Command('receive')
    .description('listen for signed callbacks from webhook consumers, and note which publication each one follows')
    .option('--listen <host:port>', 'address to listen on; put a TLS proxy in front of anything but loopback', '127.0.0.1:8787')
    .addHelpText('after', '\nExample:\n  keyturn receive --listen 127.0.0.1:8787')
    .action(
      action(async ({ app, output }, { listen }: { readonly listen: string }) => {
        const { host, port } = parseAddress(listen)
        const server = createReceiver((ref) => app.deps(ref))
        server.listen(port, host)
        try {
          await once(server, 'listening') // rejects with the error of listen()
        } catch (cause) {
          throw notListening(listen, cause)
        }
        const address = server.address()
        const bound = typeof address === 'object' && address !== null ? address.port : port
        output.note(`listening on ${host}:${bound}; stop with Ctrl-C`)
        await untilAborted(app.env.cancelled)
        server.close()
        server.closeAllConnections()
        output.result({ listen: `${host}:${bound}` }, ['Stopped.'])
      }),
    )

function parseAddress(listen: string): { readonly host: string; readonly port: number } {
  const [, host = '', port = ''] = /^\[?([^\]]+)\]?:(\d{1,5})$/.exec(listen) ?? []
  if (host !== '' && Number(port) <= 65_535) return { host, port: Number(port) }
  throw new RotationError('bad_event', `"${listen}" is not host:port.`, {
    field: 'listen',
    next: 'Give an address such as --listen 127.0.0.1:8787.',
  })
}

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })

const notListening = (listen: string, cause: unknown): unknown => {
  const code = systemCodeOf(cause)
  return code === undefined
    ? cause
    : new RotationError('bad_config', `Cannot listen on ${listen} (${code}).`, { field: 'listen', next: 'Name another address or port.' })
}
