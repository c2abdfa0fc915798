import { randomInt, randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { adminPassword, firstPassword, type Stage } from './stage.js'

export interface QuickstartResult {
  readonly rotations: number
  readonly clientLogins: number
  readonly clientLoginFailures: number
  /** The effect that was going on when the process was killed. */
  readonly killedAt: string
  readonly recovered: boolean
  readonly seconds: number
}

const graceMs = 2000
const triesMax = 5

export async function playThrough(stage: Stage): Promise<QuickstartResult> {
  const server = await stage.startServer()
  await stage.makeRoles(server)
  stage.tell(`PostgreSQL 18 runs on 127.0.0.1:${server.port}; logins app_a and app_b act as the role app`)
  await stage.mustCli(['init'])
  await stage.mustCli(['put', 'file:pg-admin'], stage.valueOf('keyturn_admin', adminPassword))
  await stage.mustCli(['put', 'file:db'], stage.valueOf('app_a', firstPassword))
  await stage.mustCli(['adopt', 'file:db', 'strategy=alternate', 'pair=app_a app_b', 'admin=file:pg-admin', `grace=${graceMs / 1000}s`])
  stage.tell('keyturn init, put, adopt: the secret file:db is taken as it is (grace 2 s, for this demonstration only)')
  await stage.startClient()
  stage.tell('an application logs in without pause with what the store says is current, and holds two sessions')
  for (let count = 1; count <= 3; count++) await rotateOnce(stage, count)
  const killed = await rotateAndKill(stage)
  await delay(500) // the application goes on with the recovered credential
  const { json: status, text } = await stage.cli(['status', 'file:db'])
  stage.say(`\n$ keyturn status file:db --json\n${text.trim()}`)
  const counts = await stage.stopClient()
  if (counts.lastFailure) stage.tell(`the application failed to log in: ${counts.lastFailure}`)
  const recovered = killed.recovered && status.open === false && status.code === null
  const rotations = 3 + killed.rotations
  return {
    rotations,
    clientLogins: counts.logins,
    clientLoginFailures: counts.failures,
    killedAt: killed.killedAt,
    recovered,
    seconds: Number(stage.seconds.toFixed(1)),
  }
}

async function rotateOnce(stage: Stage, count: number): Promise<void> {
  await graceOver(stage)
  const before = stage.counts.logins
  const { version, steps } = await stage.mustCli(['rotate', 'file:db'])
  stage.tell(
    `rotation ${count}: ${String(steps).replaceAll(',', ', ')}; version ${String(version)} is current; ${stage.counts.logins - before} logins meanwhile, ${stage.counts.failures} failed`,
  )
}

/** The outgoing login stays valid for the grace; until then a rotation would be held. */
async function graceOver(stage: Stage): Promise<void> {
  const { publishedAt, previous } = (await stage.mustCli(['status', 'file:db'])) as { publishedAt: string; previous: string | null }
  const waitMs = Date.parse(publishedAt) + graceMs - Date.now()
  if (previous !== null && waitMs > 0) await delay(waitMs + 20)
}

interface Killed {
  readonly killedAt: string
  readonly recovered: boolean
  /** Those that ended before the signal came, and the one that was taken up again. */
  readonly rotations: number
}

async function rotateAndKill(stage: Stage): Promise<Killed> {
  for (let tries = 1; tries <= triesMax; tries++) {
    await graceOver(stage)
    const token = randomUUID()
    const killedAt = await killOnTheWay(stage, token)
    if (killedAt === undefined) continue
    stage.tell(`rotation 4: its process was killed (SIGKILL) during ${killedAt}`)
    const resumed = await stage.mustCli(['rotate', 'file:db', '--token', token])
    const verified = await stage.mustCli(['verify', 'file:db'])
    stage.tell(`rotation 4: the same command with the same token: ${String(resumed.outcome)}; the stored value logs in`)
    return { killedAt, recovered: verified.accepted === true, rotations: tries }
  }
  throw new Error(`The process ended before the signal in ${triesMax} tries.`)
}

/** Kills the rotation at a random moment after its first effect; undefined when it had ended by then. */
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
  return signal === 'SIGKILL' && last ? `${last.effect}${last.phase === 'outcome' ? ' (done)' : ''}` : undefined
}

/** From the first effect of the last rotation to its last. */
async function usualSpanMs(stage: Stage): Promise<number> {
  const records = await stage.audit()
  const last = records.at(-1)
  const first = records.find((record) => record.token !== undefined && record.token === last?.token)
  return last && first ? last.at - first.at : 100
}
