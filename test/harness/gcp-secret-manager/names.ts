import { badArgument, projectMissing } from './model.js'

/** A resource name, taken apart. */
export interface Place {
  /** The project as it was written: its id or its number. */
  readonly project: string
  /** With the project's number. */
  readonly parent: string
  readonly location: string | undefined
}
export interface SecretPlace extends Place {
  /** The secret's whole name, with the project's number. */
  readonly secret: string
}
export interface VersionPlace extends SecretPlace {
  /** A number, `latest` or an alias. */
  readonly version: string
}

const parentForm = /^projects\/([^/]+)(?:\/locations\/([^/]+))?$/
const secretForm = /^(projects\/[^/]+(?:\/locations\/[^/]+)?)\/secrets\/([^/]+)$/
const versionForm = /^(.+)\/versions\/([^/]+)$/

/** Takes names apart. The service takes a project's id or number, and answers with the number. */
export class Names {
  /** Project number by project id. */
  readonly projects: Map<string, string>
  constructor(projects: ReadonlyMap<string, string>) {
    this.projects = new Map(projects)
  }
  /** Whether there is a project of this id or number. */
  knows = (project: string): boolean => this.projects.has(project) || [...this.projects.values()].includes(project)
  readonly #numberOf = (project: string): string => {
    const number = this.projects.get(project) ?? [...this.projects.values()].find((one) => one === project)
    if (number === undefined) throw projectMissing(project)
    return number
  }

  parent(name: string): Place {
    const [, project, location] = parentForm.exec(name) ?? []
    if (project === undefined) throw badArgument(`The provided parent [${name}] does not match the expected format [projects/*].`)
    const parent = `projects/${this.#numberOf(project)}${location === undefined ? '' : `/locations/${location}`}`
    return { project, parent, location }
  }
  secret(name: string): SecretPlace {
    const [, parent, id] = secretForm.exec(name) ?? []
    if (parent === undefined) throw badArgument(`The provided name [${name}] does not match the expected format [projects/*/secrets/*].`)
    const place = this.parent(parent)
    return { ...place, secret: `${place.parent}/secrets/${id}` }
  }
  version(name: string): VersionPlace {
    const [, secret, version] = versionForm.exec(name) ?? []
    if (secret === undefined || version === undefined)
      throw badArgument(`The provided name [${name}] does not match the expected format [projects/*/secrets/*/versions/*].`)
    return { ...this.secret(secret), version }
  }
}
