import { listOf, listsOf } from '../../../core/deployed-lists.js'
import { type Attribute, aligned, blockOf, text } from '../../../core/hcl.js'
import type { Found, Place } from './found.js'

/** The files that are made for these secrets, as `terraform fmt` writes them. What deploys them is copied beside. */
export const filesOf = (place: Place, found: readonly Found[]): Readonly<Record<string, string>> => ({
  'main.tf': [...head, ...moduleLines(place, found), ...outputs].join('\n'),
  '.gitignore': ignored.join('\n'),
})

const head: readonly string[] = [
  '# Written by keyturn init gcp, which reads it no more: change it as you like. Its state holds no value of a secret. Before a team applies it, add a',
  '# backend for that state.',
  ...blockOf('terraform', [
    '  required_version = ">= 1.5"',
    '',
    '  required_providers {',
    '    google = {',
    ...aligned(
      [
        ['source', text('hashicorp/google')],
        ['version', text('>= 7.0, < 8.0')],
      ],
      '      ',
    ),
    '    }',
    '  }',
  ]),
]

function moduleLines({ project, region, invoker, configuration }: Place, found: readonly Found[]): readonly string[] {
  const locations = [...new Set(found.flatMap(({ name }) => name.location ?? []))].sort()
  const attributes: readonly Attribute[] = [
    ['source', text('./keyturn')],
    ['project_id', text(project)],
    ['region', text(region)],
    ['archives', `"\${path.module}/functions"`],
    ...(locations.length === 0 ? [] : [['locations', listOf(locations)] as const]),
    ...(configuration === undefined ? [] : [['configuration', text(configuration)] as const]),
    ...listsOf(found),
    ['invokers', listOf(invoker === undefined ? [] : [invoker])],
  ]
  const secrets: readonly Attribute[] = found.map((one) => [text(one.name.secret), secretOf(one)])
  return blockOf('module "keyturn"', [...aligned(attributes), '', '  secrets = {', ...aligned(secrets, '    '), '  }'])
}

function secretOf({ name, destroysLater, administrator }: Found): string {
  const words = [
    ...(name.location === undefined ? [] : [`location = ${text(name.location)}`]),
    ...(destroysLater ? ['destroys_later = true'] : []),
    ...(administrator === undefined ? [] : [`administrator = ${text(administrator)}`]),
  ]
  return words.length === 0 ? '{}' : `{ ${words.join(', ')} }`
}

const outputs: readonly string[] = ['topic', 'invoke_url', 'functions', 'dead_letters'].flatMap((name) =>
  blockOf(`output "${name}"`, [`  value = module.keyturn.${name}`]),
)

const ignored: readonly string[] = ['.terraform/', '*.tfstate', '*.tfstate.*', '']
