import type { Command } from 'commander'
import { describeOption } from './options.js'

export const shells = ['bash', 'zsh', 'fish'] as const
/** A shell for which `keyturn completion` prints a script. */
export type Shell = (typeof shells)[number]

interface Words {
  /** The words of the command, such as `config check`; empty for the program itself. */
  readonly path: string
  readonly help: string
  readonly commands: readonly { readonly name: string; readonly help: string }[]
  readonly options: readonly { readonly flag: string; readonly help: string; readonly choices: readonly string[] }[]
}

const globals = ['--json', '--home', '--verbose', '--help']

/** Lists every command and what may follow it, from the definitions that parse the command line. */
function wordsOf(command: Command, path = ''): readonly Words[] {
  const here: Words = {
    path,
    help: command.description(),
    commands: command.commands.map((one) => ({ name: one.name(), help: one.description() })),
    options: command.options.map((option) => ({
      flag: option.long ?? option.short ?? '',
      help: describeOption(option),
      choices: option.argChoices ?? [],
    })),
  }
  const before = path === '' ? '' : `${path} `
  return [here, ...command.commands.flatMap((one) => wordsOf(one, `${before}${one.name()}`))]
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
const candidates = ({ commands, options }: Words): readonly string[] => [
  ...commands.map(({ name }) => name),
  ...options.map(({ flag }) => flag),
  ...globals,
]

/** Builds the script for one shell. Every command must be added to `program` before the call. */
export function completionScript(program: Command, shell: Shell): string {
  const words = wordsOf(program)
  return { bash, zsh, fish }[shell](words)
}

const caseOf = (words: readonly Words[], line: (one: Words) => string): string =>
  words.map((one) => `    ${quoted(one.path)}) ${line(one)} ;;`).join('\n')

function choicesOf(words: readonly Words[]): readonly { readonly flag: string; readonly choices: readonly string[] }[] {
  const all = words.flatMap(({ options }) => options.filter(({ choices }) => choices.length > 0))
  return all.filter(({ flag }, index) => all.findIndex((one) => one.flag === flag) === index)
}

const bash = (words: readonly Words[]): string => `# keyturn completion for bash: source <(keyturn completion bash)
_keyturn() {
  local word path="" current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}"
  case "$before" in
${choicesOf(words)
  .map(({ flag, choices }) => `    ${flag}) COMPREPLY=($(compgen -W ${quoted(choices.join(' '))} -- "$current")); return ;;`)
  .join('\n')}
    --file|-f|--home|--output-file) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
${words
  .filter(({ path }) => path !== '')
  .map(({ path }) => `      ${quoted(path.includes(' ') ? path : ` ${path}`)}) path=${quoted(path)} ;;`)
  .join('\n')}
    esac
  done
  case "$path" in
${caseOf(words, (one) => `COMPREPLY=($(compgen -W ${quoted(candidates(one).join(' '))} -- "$current"))`)}
  esac
}
complete -F _keyturn keyturn
`

const zsh = (words: readonly Words[]): string => `#compdef keyturn
# keyturn completion for zsh: source <(keyturn completion zsh)
_keyturn() {
  local word path=""
  local -a found
  case "\${words[CURRENT-1]}" in
${choicesOf(words)
  .map(({ flag, choices }) => `    ${flag}) compadd -- ${choices.join(' ')}; return ;;`)
  .join('\n')}
    --file|-f|--home|--output-file) _files; return ;;
  esac
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$path $word" in
${words
  .filter(({ path }) => path !== '')
  .map(({ path }) => `      ${quoted(path.includes(' ') ? path : ` ${path}`)}) path=${quoted(path)} ;;`)
  .join('\n')}
    esac
  done
  case "$path" in
${caseOf(words, (one) => `found=(${candidates(one).join(' ')})`)}
  esac
  compadd -- "\${found[@]}"
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
compdef _keyturn keyturn
`

const fish = (words: readonly Words[]): string => {
  const seen = (path: string): string =>
    path === ''
      ? '__fish_use_subcommand'
      : path
          .split(' ')
          .map((word) => `__fish_seen_subcommand_from ${word}`)
          .join('; and ')
  const line = (rest: string): string => `complete -c keyturn -f ${rest}`
  return [
    '# keyturn completion for fish: keyturn completion fish | source',
    ...words.flatMap(({ path, commands, options }) => [
      ...commands.map(({ name, help }) => line(`-n ${quoted(seen(path))} -a ${name} -d ${quoted(help)}`)),
      ...options
        .filter(({ flag }) => flag.startsWith('--'))
        .map(({ flag, help, choices }) => {
          const condition = path === '' ? '' : `-n ${quoted(seen(path))} `
          const values = choices.length > 0 ? ` -x -a ${quoted(choices.join(' '))}` : ''
          return line(`${condition}-l ${flag.slice(2)}${values} -d ${quoted(help)}`)
        }),
    ]),
    '',
  ].join('\n')
}
