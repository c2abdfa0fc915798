import type { SourceFile } from 'typescript/unstable/ast'
import { createVirtualFileSystem } from 'typescript/unstable/fs'
import { API } from 'typescript/unstable/sync'

const root = '/measured'
/** Only trees are needed: no libraries, no followed imports, no checks. */
const options = { compilerOptions: { noLib: true, noResolve: true, types: [] } }

/** Lets the compiler parse each text, and returns what `use` makes of its tree. Throws for a text that is not TypeScript: its figures would be wrong. */
export function parseEach<T>(texts: ReadonlyMap<string, string>, use: (name: string, tree: SourceFile) => T): readonly T[] {
  const names = [...texts.keys()]
  const project = `${root}/tsconfig.json`
  const files: Record<string, string> = { [project]: JSON.stringify({ ...options, files: names }) }
  for (const [name, text] of texts) files[`${root}/${name}`] = text
  const compiler = new API({ cwd: root, fs: createVirtualFileSystem(files) })
  try {
    const program = compiler.updateSnapshot({ openProjects: [project] }).getProject(project)?.program
    return names.map((name) => {
      const path = `${root}/${name}`
      const tree = program?.getSourceFile(path)
      if (program === undefined || tree === undefined) throw new Error(`The compiler did not read ${name}.`)
      const [problem] = program.getSyntacticDiagnostics(path)
      if (problem) throw new Error(`${name} cannot be parsed: ${problem.text}`)
      return use(name, tree)
    })
  } finally {
    compiler.close()
  }
}
