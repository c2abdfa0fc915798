import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** A certificate authority of this test alone, by the openssl command. */
export class Authority {
  readonly #folder: string
  readonly ca: string
  #issued = 0

  private constructor(folder: string, ca: string) {
    this.#folder = folder
    this.ca = ca
  }

  static async create(): Promise<Authority> {
    const folder = await mkdtemp(join(tmpdir(), 'keyturn-ca-'))
    const file = (name: string) => join(folder, name)
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file('ca.key')]
    const extensions = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign']
    await run('openssl', ['req', '-x509', ...key, '-out', file('ca.crt'), '-days', '2', '-subj', '/CN=Keyturn test CA', ...extensions])
    return new Authority(folder, await readFile(file('ca.crt'), 'utf8'))
  }

  /** names as in a certificate: `IP:127.0.0.1`, `DNS:localhost`. */
  async issue(names: readonly string[], validity: 'valid' | 'expired' = 'valid'): Promise<Certificate> {
    const base = join(this.#folder, `server-${++this.#issued}`)
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${base}.key`]
    await run('openssl', ['req', '-new', ...key, '-out', `${base}.csr`, '-subj', '/CN=server'])
    await writeFile(`${base}.ext`, `subjectAltName=${names.join(',')}\nbasicConstraints=CA:FALSE\n`)
    const signer = ['-CA', join(this.#folder, 'ca.crt'), '-CAkey', join(this.#folder, 'ca.key'), '-CAcreateserial']
    const days = ['-days', validity === 'valid' ? '1' : '-1']
    await run('openssl', ['x509', '-req', '-in', `${base}.csr`, ...signer, ...days, '-extfile', `${base}.ext`, '-out', `${base}.crt`])
    return { cert: await readFile(`${base}.crt`, 'utf8'), key: await readFile(`${base}.key`, 'utf8') }
  }

  close(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true })
  }
}
