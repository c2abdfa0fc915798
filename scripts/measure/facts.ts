import * as ts from 'typescript/unstable/ast'
import { parseEach } from './parse.js'

/** A function that a reader finds by name. Callbacks count in the function around them. */
export interface FunctionFact {
  readonly name: string
  /** `file:line` of its first line. */
  readonly place: string
  /** As written in the file, without the comment above. */
  readonly lines: number
}
/** What one file adds to the figures. */
export interface FileFacts {
  readonly file: string
  /** The length of each line that holds code, without indentation and trailing space; a comment at its end counts. */
  readonly codeLines: readonly number[]
  readonly functions: readonly FunctionFact[]
  /** Exported functions, classes, interfaces and types. */
  readonly exports: readonly { readonly name: string; readonly documented: boolean }[]
}

/** Facts of each text, by the name of its file. */
export const factsOf = (texts: ReadonlyMap<string, string>): readonly FileFacts[] =>
  parseEach(texts, (file, tree) => {
    const comments = commentsOf(tree)
    return { file, codeLines: codeLinesOf(tree.text, comments), functions: functionsOf(file, tree), exports: exportsOf(tree, comments) }
  })

interface Span {
  readonly start: number
  readonly end: number
}

/** Every node below, in the order of the text. */
function* below(node: ts.Node): Generator<ts.Node> {
  const children: ts.Node[] = []
  node.forEachChild((child) => {
    children.push(child)
  })
  for (const child of children) {
    yield child
    yield* below(child)
  }
}

/** Comments begin outside literals only, and the tree knows where literals are. */
function commentsOf(tree: ts.SourceFile): readonly Span[] {
  const { text } = tree
  const literals = [...below(tree)].filter(isLiteral).map((node) => ({ start: node.getStart(tree), end: node.end }))
  const found: Span[] = []
  let from = 0
  for (const { start, end } of [...literals, { start: text.length, end: text.length }]) {
    for (let comment = nextComment(text, from, start); comment; comment = nextComment(text, comment.end, start)) found.push(comment)
    from = end
  }
  return found
}

const isLiteral = (node: ts.Node): boolean => ts.isLiteralToken(node) || ts.isTemplateLiteralToken(node)

function nextComment(text: string, from: number, to: number): Span | undefined {
  const opening = /\/[/*]/.exec(text.slice(from, to))
  if (opening === null) return undefined
  const start = from + opening.index
  const end = opening[0] === '//' ? text.indexOf('\n', start) : text.indexOf('*/', start + 2) + 2
  return { start, end: end < start ? text.length : end }
}

function codeLinesOf(text: string, comments: readonly Span[]): readonly number[] {
  let code = ''
  let from = 0
  for (const { start, end } of comments) {
    code += text.slice(from, start) + text.slice(start, end).replace(/[^\n]/g, ' ')
    from = end
  }
  const withoutComments = (code + text.slice(from)).split('\n')
  return text.split('\n').flatMap((line, index) => (withoutComments[index]?.trim() ? [line.trim().length] : []))
}

function functionsOf(file: string, tree: ts.SourceFile): readonly FunctionFact[] {
  const lineOf = (position: number): number => tree.text.slice(0, position).split('\n').length
  return [...below(tree)].flatMap((node) => {
    const name = functionName(node)
    if (name === undefined) return []
    const first = lineOf(node.getStart(tree))
    return { name, place: `${file}:${first}`, lines: lineOf(node.end) - first + 1 }
  })
}

const isFunctionExpression = (node: ts.Node): boolean => ts.isArrowFunction(node) || ts.isFunctionExpression(node)

/** undefined for what is not a function, has no body (a signature, an overload), or has no name. */
function functionName(node: ts.Node): string | undefined {
  if (ts.isConstructorDeclaration(node)) return node.body && 'constructor'
  if (ts.isFunctionDeclaration(node)) return node.body && (node.name?.text ?? 'default')
  if (ts.isMethodDeclaration(node) || ts.isGetAccessorDeclaration(node) || ts.isSetAccessorDeclaration(node))
    return node.body && node.name.getText()
  if ((ts.isVariableDeclaration(node) || ts.isPropertyAssignment(node) || ts.isPropertyDeclaration(node)) && node.initializer)
    return isFunctionExpression(bare(node.initializer)) ? node.name.getText() : undefined
  return undefined
}

/** Without parentheses and without what only the type checker reads. */
function bare(node: ts.Node): ts.Node {
  const isWrapped = ts.isParenthesizedExpression(node) || ts.isAsExpression(node) || ts.isSatisfiesExpression(node)
  return isWrapped ? bare(node.expression) : node
}

function exportsOf(tree: ts.SourceFile, comments: readonly Span[]): FileFacts['exports'] {
  const listed = new Set(tree.statements.flatMap(listedNames))
  const found = new Map<string, FileFacts['exports'][number]>()
  for (const statement of tree.statements)
    for (const name of exportedNames(statement, listed)) {
      const key = `${statement.kind} ${name}` // the overloads of a function are one export, a type and a constant of one name two
      const documented = isDocumented(tree, statement, comments) || found.get(key)?.documented === true
      found.set(key, { name, documented })
    }
  return [...found.values()]
}

/** The names in `export { a, b as c }`; with `from` they belong to another file. */
function listedNames(statement: ts.Statement): readonly string[] {
  if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier) return []
  if (!statement.exportClause || !ts.isNamedExports(statement.exportClause)) return []
  return statement.exportClause.elements.map(({ name, propertyName }) => (propertyName ?? name).text)
}

/** The names that the statement declares, if it exports them or the list of another statement does. */
function exportedNames(statement: ts.Statement, listed: ReadonlySet<string>): readonly string[] {
  const isDeclaration =
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement)
  if (!isDeclaration && !ts.isVariableStatement(statement)) return []
  const names = isDeclaration ? [statement.name?.text ?? 'default'] : functionNames(statement)
  const isExported = statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
  return isExported ? names : names.filter((name) => listed.has(name))
}

/** The constants of a statement that are functions. */
const functionNames = ({ declarationList }: ts.VariableStatement): readonly string[] =>
  declarationList.declarations.flatMap((declaration) => functionName(declaration) ?? [])

/** A doc comment ends on the line above, or on the same line. */
function isDocumented({ text }: ts.SourceFile, statement: ts.Statement, comments: readonly Span[]): boolean {
  const start = statement.getStart()
  const above = comments.findLast(({ end }) => end <= start)
  return (
    above !== undefined &&
    /^\/\*\*[^/]/.test(text.slice(above.start, above.end)) &&
    /^[^\S\n]*\n?[^\S\n]*$/.test(text.slice(above.end, start))
  )
}
