/** A text of Terraform: `${` and `%{` would begin a template. */
export const text = (value: string): string =>
  `"${value.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('${', '$${').replaceAll('%{', '%%{')}"`

export type Attribute = readonly [name: string, value: string]

/** Attributes with their equals signs in one column. */
export function aligned(attributes: readonly Attribute[], indent = '  '): readonly string[] {
  const width = Math.max(...attributes.map(([name]) => name.length))
  return attributes.map(([name, value]) => `${indent}${name.padEnd(width)} = ${value}`)
}

/** A block, and an empty line after it. */
export const blockOf = (head: string, lines: readonly string[]): readonly string[] => [`${head} {`, ...lines, '}', '']
