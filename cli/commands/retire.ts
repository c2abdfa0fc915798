import { Command } from 'commander'
import { type Announced, announce } from '../../shared/lifecycle/consumers/announce.js'
import { notedConsumers } from '../../shared/lifecycle/consumers/noted.js'
import { type Retired, retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { announcedJson } from '../announced.js'
import { action } from '../context.js'
import { showTime } from '../output.js'

/** Announces what is due, then retires every outgoing credential whose gate is open. Repeatable. One that must wait is shown with its reason. */
export const retire = (): Command =>
  new Command('retire')
    .description('announce what is due, ask every consumer, and retire the outgoing credential if nobody needs it any more')
    .argument('<ref>', 'the secret, such as file:db')
    .addHelpText('after', '\nExample:\n  keyturn retire file:db')
    .action(
      action(async ({ app, output }, refText: string) => {
        const deps = await app.deps(refText)
        const pass = await announce(deps, refText)
        const { ref, entries } = await retirePass(deps, refText)
        const announced = pass.told.length > 0 ? pass : { ...pass, told: await notedConsumers(deps, refText) }
        const json = entries.map((one) => ({ id: one.id, state: one.state, why: one.why, again: againOf(one) ?? null }))
        const lines = entries.length === 0 ? [`${ref.shown}: there is no outgoing credential to retire.`] : entries.map(entryLine)
        output.result({ ref: ref.shown, ...announcedJson(announced), entries: json }, [...announcedLines(announced), ...lines])
      }),
    )

const againOf = ({ again }: Retired): string | undefined => (again === undefined ? undefined : showTime(again))

function entryLine(one: Retired): string {
  const again = againOf(one)
  return `${one.id}  ${one.state}: ${one.why}${again === undefined ? '' : `; ask again at ${again}`}`
}

/** Says of each consumer what it answered, or what it said last where nothing was due. */
function announcedLines({ outcome, told }: Announced): readonly string[] {
  const consumers = told.map(
    ({ consumer, seen, evidence }) => `${consumer.key}  ${seen.phase}${seen.code === undefined ? '' : ` (${seen.code})`}: ${evidence}`,
  )
  return outcome === 'none' ? consumers : [`announcement  ${outcome}`, ...consumers]
}
