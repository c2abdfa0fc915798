import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { factsOf } from './facts.js'
import { type Figures, figuresOf } from './figures.js'

const shipped = ['cli', 'functions', 'shared']

/** Measures the shipped code of a working copy. */
export function measure(root: string): Figures {
  const files = shipped.flatMap((folder) => filesBelow(join(root, folder))).sort()
  const texts = new Map(files.map((file) => [relative(root, file).replaceAll(sep, '/'), readFileSync(file, 'utf8')]))
  return figuresOf(factsOf(texts))
}

const filesBelow = (folder: string): readonly string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('node_modules'))
        .map((entry) => join(entry.parentPath, entry.name))
    : []
