import { answerParent } from './child.js'
import { fill, type Layout } from './fleet.js'
import { Life } from './life.js'

/** What the process that holds the fleet is asked: to make one, or what it was asked for since that was last asked. */
export type SecretsQuestion =
  | { readonly secrets: number; readonly layout: Layout; readonly now: number; readonly pageSize: number }
  | 'calls'
export interface SecretsAnswer {
  readonly port: number
  /** Secrets and staging places, those of others included. */
  readonly listed: number
  /** How often each call of the service was made. */
  readonly calls: Readonly<Record<string, number>>
}

const life = await Life.open()

answerParent<SecretsQuestion, SecretsAnswer>(async (question) => {
  const { double } = life
  if (question !== 'calls') {
    await fill(life, question)
    double.calls.length = 0
    double.pageSize = question.pageSize
  }
  const calls: Record<string, number> = {}
  for (const { name } of double.calls) calls[name] = (calls[name] ?? 0) + 1
  double.calls.length = 0
  return { port: double.port, listed: double.secrets.size, calls }
})
