import { resourceOf, type SecretName } from '../names.js'
import type { Binding, Role } from './grants.js'

/** A number names a project as its id does, but a custom role has the id in its name, and a condition has the number. */
export const isNumber = (project: string): boolean => /^\d+$/.test(project)

export const isCustom = (role: Role): role is Role & { readonly title: string } => role.title !== undefined

/** The custom roles of a project, each once. */
export function customRoles(bindings: readonly Binding[], project: string): readonly (Role & { readonly title: string })[] {
  return [...new Set(bindings.filter((one) => one.project === project).map(({ role }) => role))].filter(isCustom)
}

export const projectsOf = (bindings: readonly Binding[]): readonly string[] => [...new Set(bindings.map(({ project }) => project))]

/** The resource that carries a binding. */
export const carrierOf = ({ on, project }: Binding): string => (on === undefined ? `projects/${project}` : resourceOf(on))

/** Lets a binding of a project count for one secret and its versions alone. `number`: the project's. */
export function expressionOf(only: SecretName, number: string): string {
  const name = resourceOf({ ...only, project: number })
  return `resource.name == '${name}' || resource.name.startsWith('${name}/')`
}
