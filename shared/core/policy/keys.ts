import type { PolicyKey } from '../ports/rotator.js'
import { parseDuration } from './duration.js'
import { parseWindow } from './window.js'

const oneOf =
  (...words: string[]) =>
  (value: string) =>
    words.includes(value) ? undefined : `must be one of ${words.join(', ')}`
const duration = (value: string) => (parseDuration(value) === undefined ? 'must be a duration such as 90d, 12h, 30m or 45s' : undefined)
const anything = () => undefined
const matching = (form: RegExp, words: string) => (value: string) => (form.test(value) ? undefined : words)

/** The policy keys of every secret, without the prefix `keyturn-`. A rotator adds its own in `about.policy`. */
export const commonKeys: readonly PolicyKey[] = [
  {
    name: 'rotator',
    help: 'kind of credential; inferred from "engine" if the value has it',
    check: matching(/^[a-z][a-z0-9-]*$/, 'must be the name of a rotator'),
  },
  { name: 'strategy', help: 'how two credentials overlap', check: oneOf('replace', 'alternate', 'overlap', 'ephemeral') },
  { name: 'every', help: 'time between two rotations; only if the platform has no schedule of its own', check: duration },
  {
    name: 'window',
    help: 'when a rotation may start: days, hours, time zone',
    check: (value) => {
      const window = parseWindow(value)
      return typeof window === 'string' ? window : undefined
    },
  },
  { name: 'grace', default: '1h', help: 'minimum time for which the outgoing credential stays valid', check: duration },
  {
    name: 'mode',
    default: 'auto',
    help: 'auto: by schedule and by hand; manual: by hand only; paused: not at all',
    check: oneOf('auto', 'manual', 'paused'),
  },
  {
    name: 'admin',
    help: 'the secret that holds the administrator of the same target',
    check: matching(/^[a-z0-9]+:.+$/, 'must be a secret, such as file:pg-admin'),
  },
  {
    name: 'consumers',
    default: 'none',
    help: 'names of the consumers in the configuration secret; "none" says that there are none',
    check: anything,
  },
  {
    name: 'companions',
    default: 'none',
    help: 'names, in the configuration secret, of other secrets and artefacts that must carry the same credential',
    check: anything,
  },
  {
    name: 'drain',
    default: 'hold',
    help: 'what happens while a consumer stays on the outgoing credential',
    check: matching(/^(hold|force after [1-9]\d{0,8}[smhd])$/, 'must be "hold" or "force after 7d"'),
  },
  { name: 'owner', help: 'who to ask; for people', check: anything },
  { name: 'environment', help: 'production, staging …; for people, and for rules about who may choose which admin', check: anything },
  { name: 'parts', help: 'field=rotator for each part of a secret that holds several credentials', check: anything },
]
