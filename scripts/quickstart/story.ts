import { randomInt, randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { adminPassword, firstPassword, type Stage, webhookKey } from './stage.js'

export interface QuickstartResult {
  readonly rotations: number
  /** Outgoing logins that were ended on evidence. */
  readonly retired: number
  /** The login that was current before the rollback was retired after it. */
  readonly rolledBackRetired: boolean
  readonly clientLogins: number
  readonly clientLoginFailures: number
  /** The effect that was under way when the process was killed. */
  readonly killedAt: string
  readonly recovered: boolean
  readonly seconds: number
}

const graceMs = 2000
const retireMsMax = 20_000
const triesMax = 5

export async function playThrough(stage: Stage): Promise<QuickstartResult> {
  const server = await stage.startServer()
  await stage.makeRoles(server)
  stage.tell(`PostgreSQL 18 runs on 127.0.0.1:${server.port}; logins app_a and app_b act as the role app`)
  await stage.mustCli(['init'])
  await stage.mustCli(['put', 'file:pg-admin'], stage.valueOf('keyturn_admin', adminPassword))
  await stage.mustCli(['put', 'file:db'], stage.valueOf('app_a', firstPassword))
  await stage.startClient()
  stage.tell('an application logs in without pause with the current value of the store, and holds two sessions')
  await stage.mustCli(['put', 'file:config'], configurationFor(stage.clientPort))
  stage.configured = true
  const policy = ['strategy=alternate', 'pair=app_a app_b', 'admin=file:pg-admin', 'consumers=application', `grace=${graceMs / 1000}s`]
  await stage.mustCli(['adopt', 'file:db', ...policy])
  stage.tell('keyturn init, put, adopt: Keyturn manages file:db (grace 2 s, for this demonstration only)')
  let [retired, rolledBackRetired] = [0, false]
  for (let count = 1; count <= 3; count++) {
    await rotateOnce(stage, count)
    if (count === 3) await rollBack(stage)
    const ended = await retireOutgoing(stage)
    retired += ended.length
    if (count === 3) rolledBackRetired = ended.includes('app_b') // it was current in the third rotation
  }
  const killed = await rotateAndKill(stage)
  retired += (await retireOutgoing(stage)).length
  const { json: status, text } = await stage.cli(['status', 'file:db'])
  stage.say(`\n$ keyturn status file:db --json\n${text.trim()}`)
  await stage.mustCli(['audit', 'verify'])
  const counts = await stage.stopClient()
  if (counts.lastFailure) stage.tell(`the application failed to log in: ${counts.lastFailure}`)
  const recovered = killed.recovered && status.open === false && status.code === null
  return {
    rotations: 3 + killed.rotations,
    retired,
    rolledBackRetired,
    clientLogins: counts.logins,
    clientLoginFailures: counts.failures,
    killedAt: killed.killedAt,
    recovered,
    seconds: Number(stage.seconds.toFixed(1)),
  }
}

/** One consumer: the application's own listener, signed with a key of this run. */
const configurationFor = (port: number): string =>
  JSON.stringify({
    consumers: {
      application: {
        kind: 'webhook',
        required: true,
        url: `http://127.0.0.1:${port}/`,
        plaintext: true, // loopback, as with the database
        allow: ['127.0.0.0/8'],
        keys: [webhookKey],
      },
    },
  })

async function rotateOnce(stage: Stage, count: number): Promise<void> {
  const before = stage.counts.logins
  const { version, steps, announced } = await stage.mustCli(['rotate', 'file:db'])
  const { logins, failures } = stage.counts
  const done = `${String(steps).replaceAll(',', ', ')}; version ${String(version)} is current, ${String(announced)}`
  stage.tell(`rotation ${count}: ${done}; ${logins - before} logins meanwhile, ${failures} failed`)
}

/** Before a retirement one can still go back. The credential that was rolled back is then the one that is retired. */
async function rollBack(stage: Stage): Promise<void> {
  const { version } = await stage.mustCli(['rollback', 'file:db', '--reason', 'to show that it works'])
  stage.tell(`rollback: version ${String(version)} holds the previous credential; the application is notified again`)
}

/** Does what `keyturn sweep` does every few minutes: asks the consumer and the server again, until the outgoing login may end. */
async function retireOutgoing(stage: Stage): Promise<readonly string[]> {
  const giveUpAt = Date.now() + retireMsMax
  for (;;) {
    const { entries } = (await stage.mustCli(['retire', 'file:db'])) as { entries: readonly { id: string; state: string; why: string }[] }
    const done = entries.filter(({ state }) => state === 'retired')
    for (const { id, why } of done) stage.tell(`retired ${id}: ${why}`)
    if (done.length > 0) return done.map(({ id }) => id)
    if (Date.now() > giveUpAt) throw new Error(`Nothing was retired in ${retireMsMax} ms: ${JSON.stringify(entries)}`)
    await delay(250)
  }
}

interface Killed {
  readonly killedAt: string
  readonly recovered: boolean
  /** Rotations that ended before the signal came, and the one that was resumed. */
  readonly rotations: number
}

async function rotateAndKill(stage: Stage): Promise<Killed> {
  for (let tries = 1; tries <= triesMax; tries++) {
    const token = randomUUID()
    const killedAt = await killOnTheWay(stage, token)
    if (killedAt === undefined) {
      await retireOutgoing(stage) // it ended before the signal came
      continue
    }
    stage.tell(`rotation 4: its process was killed (SIGKILL) during ${killedAt}`)
    const resumed = await stage.mustCli(['rotate', 'file:db', '--token', token])
    const verified = await stage.mustCli(['verify', 'file:db'])
    stage.tell(`rotation 4: the same command with the same token: ${String(resumed.outcome)}; the stored value logs in`)
    return { killedAt, recovered: verified.logsIn === true, rotations: tries }
  }
  throw new Error(`The process ended before the signal in ${triesMax} tries.`)
}

/** Kills the rotation at a random moment after its first effect. undefined if it had ended by then. */
async function killOnTheWay(stage: Stage, token: string): Promise<string | undefined> {
  const spanMs = await usualSpanMs(stage)
  const child = stage.spawnCli(['rotate', 'file:db', '--token', token])
  child.stdin?.end()
  const answer = stage.answerOf(child)
  const ours = async () => (await stage.audit()).filter((record) => record.token === token)
  while ((await ours()).length === 0 && child.exitCode === null) await delay(1)
  await delay(randomInt(0, Math.max(2, Math.round(spanMs))))
  child.kill('SIGKILL')
  const { signal } = await answer
  const last = (await ours()).at(-1)
  if (signal !== 'SIGKILL' || last === undefined) return undefined
  return last.phase === 'outcome' ? `${last.effect} (done)` : last.effect
}

/** From the first effect of the last rotation to its last. */
async function usualSpanMs(stage: Stage): Promise<number> {
  const records = await stage.audit()
  const last = records.at(-1)
  const first = records.find((record) => record.token !== undefined && record.token === last?.token)
  return last && first ? last.at - first.at : 100
}
