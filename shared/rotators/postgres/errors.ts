import { messageOf, RotationError, systemCodeOf } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Code } from '../../core/ports/errors.js'

const unreachable = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'EPIPE',
  '53300',
  '57P01',
  '57P02',
  '57P03',
])
const tls = /^(UNABLE_TO_|ERR_TLS_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|ERR_SSL_|EPROTO)/

type Kind = readonly [Code, string]
/** proven: the server showed that it checked the password. forged: it claimed so, and the driver found that it did not. */
export interface Proof {
  readonly proven: boolean
  readonly forged: boolean
}

/** SQLSTATE or system code of a failed login → code and next step. */
function loginKind(code: string | undefined, message: string, { proven, forged }: Proof): Kind {
  const isBroken = /timeout expired|Connection terminated|Query read timeout/.test(message)
  const isForged = forged && code === undefined && !isBroken
  const isDriversOwn = code === undefined && message.startsWith('SASL') // poolers begin a plain refusal like that, with a code
  if (isForged || isDriversOwn) {
    return ['password_not_checked', 'The server did not prove that it knows the password: check which server answers at this address.']
  }
  if (code !== undefined && tls.test(code))
    return [
      'target_tls',
      'Give the CA of this server in the field ca or in KEYTURN_CA_FILE, and use the host name that its certificate names.',
    ]
  if (/does not support SSL|establishing an SSL connection/.test(message)) {
    return ['target_tls', 'Turn TLS on at the server. Only "sslmode": "disable" in the secret allows plaintext.']
  }
  const isRefused = code === '28P01' || /has been banned/.test(message)
  if (isRefused || (code === '08P01' && /SASL|no such user/.test(message))) {
    return ['target_auth', 'Check which password this role has; it was tried once and is not tried again.']
  }
  if (code === '28000')
    return [
      'target_denied',
      proven ? 'Give the role LOGIN.' : 'Add a line for this role, database and address to pg_hba.conf (hostssl … scram-sha-256).',
    ]
  if (code === '3D000') return ['bad_value', 'Correct the field dbname.']
  if (code === '42501') return ['target_denied', 'Grant CONNECT on the database to this role.']
  if (code === '55000') return ['target_denied', 'Let the database take connections: ALTER DATABASE … ALLOW_CONNECTIONS true.']
  if (code === '53300')
    return [
      'target_unreachable',
      'Free a connection, or raise the limit of the role, the database or the server; then run the same command again.',
    ]
  if (isBroken || (code !== undefined && unreachable.has(code))) {
    return ['target_unreachable', 'Check host, port, firewall and that the server runs; then run the same command again.']
  }
  return ['internal', 'Look up the message in the server log.']
}

/** Explains a failed login, with the field of the secret to look at first where there is one. A RotationError is returned as it is. */
export function loginError(cause: unknown, who: string, where: string, proof: Proof): RotationError {
  if (cause instanceof RotationError) return cause
  const code = systemCodeOf(cause)
  const [kind, next] = loginKind(code, messageOf(cause), proof)
  const field = fieldOf(kind, code)
  const shown = withCode(messageOf(cause), code)
  return new RotationError(kind, `${who} could not log in to ${where}: ${shown}.`, {
    cause,
    next,
    ...optional('field', field),
  })
}

const withCode = (message: string, code: string | undefined): string => (code === undefined ? message : `${message} (${code})`)

/** The field of the secret to look at first. */
function fieldOf(kind: Code, code: string | undefined): string | undefined {
  if (code === '3D000') return 'dbname'
  if (kind === 'target_tls') return 'ca'
  if (code === 'ECONNREFUSED') return 'port'
  if (code !== undefined && noRoute.has(code)) return 'host'
  return kind === 'target_auth' ? 'password' : undefined
}
const noRoute = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'])

const changeRule = "Change the password rule in the policy to one that the server's password check accepts."
const onlyClearText =
  'The server only takes clear text (credcheck). Set keyturn-hash=server to send it over verified TLS, or credcheck.encrypted_password_allowed=on.'

const noRight =
  'Give the administrator CREATEROLE and, from version 16 on, ADMIN OPTION: GRANT role TO admin WITH ADMIN OPTION, INHERIT FALSE, SET FALSE.'

/** SQLSTATE of a failed ALTER ROLE → code and next step. Where the answer was lost, the state is read again: a login shows what happened. */
function statementKind(code: string | undefined, message: string): Kind {
  if (code === '22023') return ['rejected', changeRule]
  if (code === '28000') return /not a plain text/.test(message) ? ['target_denied', onlyClearText] : ['rejected', changeRule]
  if (code === '42501') return ['target_denied', noRight]
  if (code === '42939') return ['bad_policy', 'Name another login: the server keeps this name for itself.']
  if (code === '42704') return ['target_denied', 'Create the role first.']
  if (code === '25006') return ['target_read_only', "Point the secret's host at the writable endpoint."]
  const isRace = code === 'XX000' && /concurrently updated/.test(message)
  if (isRace || code === '23505' || code === '42710') return ['conflict', 'The state is read again.']
  if (code === '55P03' || code === '57014') return ['target_unreachable', 'Another session holds the role; run the same command again.']
  const isLost = /Query read timeout|Connection terminated|ended by other party/.test(message)
  if (isLost || (code !== undefined && unreachable.has(code))) {
    return ['ambiguous', 'A login with the pending password shows whether the change arrived.']
  }
  return ['internal', 'Look up the message in the server log.']
}

/**
 * Explains a failed statement. ambiguous: the answer was lost, so the change may have happened. `grant` is the statement that gives the right to it
 * from version 16 on. A RotationError is returned as it is.
 */
export function statementError(cause: unknown, what: string, grant?: string): RotationError {
  if (cause instanceof RotationError) return cause
  const code = systemCodeOf(cause)
  const [kind, general] = statementKind(code, messageOf(cause))
  const isNamed = code === '42501' && grant !== undefined
  const next = isNamed ? `Give the administrator CREATEROLE and, from version 16 on, run \`${grant}\` once.` : general
  return new RotationError(kind, `${what}: ${withCode(messageOf(cause), code)}.`, { cause, next })
}

/** The code of an error, taken as that of a login that proved nothing. Returns the code of a RotationError as it is. */
export function classify(cause: unknown): Code {
  if (cause instanceof RotationError) return cause.code
  const [code] = loginKind(systemCodeOf(cause), messageOf(cause), { proven: false, forged: false })
  return code
}
