import { loadRotator, offeredKinds, rotators } from '../../shared/rotators/registry.js'
import { adminPassword, firstPassword, setPassword, startServer, valueFor } from '../../test/harness/cli-postgres.js'
import { Keyturn } from '../../test/harness/cli-process.js'
import { removeCopies } from '../../test/harness/postgres-server.js'

const program = new URL('../cli/main.js', import.meta.url).pathname.includes('/dist/cli/')
  ? new URL('../cli/main.js', import.meta.url)
  : new URL('../../cli/main.js', import.meta.url)

const commands = [
  'init put adopt policy get list status plan rotate sweep verify seen retire rollback revoke reencrypted recover release receive permissions'
    .split(' ')
    .map((name) => [name]),
  [['init', 'gcp'], ['config', 'check'], ['schema'], ['doctor'], ['audit', 'verify'], ['completion']],
].flat()

/** What each rotator says about itself, and its page. */
export async function rotatorsSection(): Promise<string> {
  const rows = await Promise.all(
    offeredKinds.map(async (kind) => {
      const { title, strategies, type } = (await loadRotator(kind)).about
      const page = `docs/${rotators[kind].page}.md`
      const names = strategies.map((one) => `\`${one}\``).join(', ')
      return `| \`${kind}\` | ${type} | ${names} | ${title} ([${page}](${page})) |`
    }),
  )
  return ['| rotator | type | strategies | |', '|---|---|---|---|', ...rows].join('\n')
}

/** Every command's own --help, as it prints it. */
export async function helpSection(): Promise<string> {
  const keyturn = await Keyturn.open(program)
  try {
    const sections = commands.map(async (words) => {
      const { stdout } = await keyturn.run([...words, '--help'])
      return `### keyturn ${words.join(' ')}\n\n\`\`\`text\n${stdout.trim()}\n\`\`\``
    })
    return (await Promise.all(sections)).join('\n\n')
  } finally {
    await keyturn.close()
  }
}

/** A session on a real PostgreSQL, as a terminal shows it; ids and times are replaced by names, because they differ each time. */
export async function sessionSection(): Promise<string> {
  const server = await startServer()
  const keyturn = await Keyturn.open(program)
  const lines: string[] = []
  const run = async (words: readonly string[], stdin?: string): Promise<void> => {
    const { stdout, stderr, code } = await keyturn.run(words, stdin === undefined ? {} : { stdin })
    const from = stdin === undefined ? '' : ' < value.json'
    const exit = code === 0 ? '' : `\n(exit ${code})`
    const typed = words.map((word) => (/[^\w:=./-]/.test(word) ? JSON.stringify(word) : word)).join(' ')
    lines.push(`$ keyturn ${typed}${from}\n${(stdout + stderr).trimEnd()}${exit}`)
  }
  try {
    await run(['init'])
    await run(['put', 'file:pg-admin'], valueFor(server, 'keyturn_admin', adminPassword))
    await run(['put', 'file:db'], valueFor(server, 'app_a', firstPassword))
    await run(['adopt', 'file:db', 'strategy=alternate', 'pair=app_a app_b', 'admin=file:pg-admin', 'every=90d'])
    await run(['rotate', 'file:db'])
    await run(['status', 'file:db'])
    await run(['rotate', 'file:db'])
    await run(['retire', 'file:db'])
    await run(['rollback', 'file:db', '--reason', 'the report job fails'])
    await run(['plan'])
    await run(['verify', 'file:db'])
    await setPassword(server, 'app_a', 'Changed-by-hand-0123456789')
    await run(['recover', 'file:db'])
    await run(['recover', 'file:db', '--yes'])
    await run(['revoke', 'file:db', '--now', '--reason', 'the old one is in a ticket'])
    await run(['doctor'])
    await run(['audit', 'verify'])
    return `\`\`\`console\n${stable(lines.join('\n\n'), keyturn.home)}\n\`\`\``
  } finally {
    await keyturn.close()
    await server.stop()
    await removeCopies()
  }
}

/** The same text for every run. */
function stable(text: string, home: string): string {
  const versions = [...new Set(text.match(/\b0m[0-9a-z]{7}-[0-9a-f]{12}\b/g) ?? [])]
  const named = versions.reduce(
    (all, version, index) => all.replaceAll(version, `version-${index + 1}`),
    text.replaceAll(home, '~/.keyturn'),
  )
  return named
    .split('\n')
    .filter((line) => !line.startsWith('· plaintext')) // said, because the server of this session is on loopback
    .map((line) => (line.startsWith('$') ? line : anonymous(line)))
    .join('\n')
}

const anonymous = (line: string): string =>
  line
    .replace(/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replace(/\b[0-9a-f]{64}\b/g, '<hash>')
    .replace(/\b\d+[smhd]( \d+[smhd])?( ago|(?=[;.)]|$))/g, '<duration>$2')
    .replace(/\b\d+ records/g, '<n> records')
    .replace(/ {2,}/g, '  ')
    .trimEnd()

export const markers = {
  help: ['<!-- help: made by npm run docs:cli -->', '<!-- end of help -->'],
  session: ['<!-- session: made by npm run docs:cli -->', '<!-- end of session -->'],
  rotators: ['<!-- rotators: made by npm run docs:cli -->', '<!-- end of rotators -->'],
} as const

/** The text between two markers of the page. */
export function sectionOf(page: string, which: keyof typeof markers): string {
  const [from, to] = markers[which]
  return page.slice(page.indexOf(from) + from.length, page.indexOf(to)).trim()
}
export function withSection(page: string, which: keyof typeof markers, text: string): string {
  const [from, to] = markers[which]
  return `${page.slice(0, page.indexOf(from) + from.length)}\n\n${text}\n\n${page.slice(page.indexOf(to))}`
}
