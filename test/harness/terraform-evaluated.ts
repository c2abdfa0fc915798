import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Module } from './terraform-module.js'

/** What Terraform makes of expressions, or what it says against the variables. */
export type Evaluated = { readonly values: Readonly<Record<string, unknown>> } | { readonly refused: string }

/**
 * Has the real Terraform evaluate expressions of a module, with its variables and those of its locals that a provider has no part in. `stubs` stand for what a
 * provider would give. Nothing is downloaded and no provider is asked.
 */
export function evaluated(
  folder: string,
  module: Module,
  wanted: Readonly<Record<string, unknown>>,
  { variables, stubs = {} }: { readonly variables: Readonly<Record<string, unknown>>; readonly stubs?: Readonly<Record<string, string>> },
): Evaluated {
  const place = mkdtempSync(join(tmpdir(), 'keyturn-terraform-'))
  try {
    const stubbed = (value: unknown): unknown => {
      const text = JSON.stringify(value)
      const replaced = Object.entries(stubs).reduce(
        (one, [of, stub]) => one.replaceAll(of, JSON.stringify(JSON.stringify(stub)).slice(1, -1)),
        text,
      )
      return JSON.parse(replaced)
    }
    const locals = Object.fromEntries([...module.locals].map(([name, value]) => [name, stubbed(value)]))
    const own = Object.entries(locals).filter(([, value]) => !/azurerm_|google_/.test(JSON.stringify(value)))
    const output = Object.fromEntries(Object.entries(wanted).map(([name, value]) => [name, { value: stubbed(value) }]))
    cpSync(join(folder, 'variables.tf'), join(place, 'variables.tf'))
    writeFileSync(join(place, 'main.tf.json'), JSON.stringify({ locals: Object.fromEntries(own), output }))
    writeFileSync(join(place, 'terraform.tfvars.json'), JSON.stringify(variables))
    const run = (...words: readonly string[]) =>
      spawnSync('terraform', words, { cwd: place, encoding: 'utf8', env: { ...process.env, CHECKPOINT_DISABLE: '1' } })
    run('init', '-no-color', '-input=false')
    const applied = run('apply', '-no-color', '-input=false', '-auto-approve')
    if (applied.status !== 0) return { refused: applied.stderr }
    const said = JSON.parse(run('output', '-json').stdout) as Readonly<Record<string, { readonly value: unknown }>>
    return { values: Object.fromEntries(Object.entries(said).map(([name, { value }]) => [name, value])) }
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}
