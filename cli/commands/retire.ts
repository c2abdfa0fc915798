import { Command } from 'commander'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
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
        const announced = await announce(deps, refText)
        const { ref, entries } = await retirePass(deps, refText)
        const json = entries.map(({ id, state, why, again }) => ({ id, state, why, again: again === undefined ? null : showTime(again) }))
        output.result(
          { ref: ref.shown, ...announcedJson(announced), entries: json },
          entries.length === 0
            ? [`${ref.shown}: there is no outgoing credential to retire.`]
            : entries.map(({ id, state, why }) => `${id}  ${state}: ${why}`),
        )
      }),
    )
