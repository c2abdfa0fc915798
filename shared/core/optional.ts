/** `{ [key]: value }`, or nothing where there is no value: spread into an object whose member may be absent, but not undefined. */
export const optional = <K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } =>
  value === undefined ? {} : ({ [key]: value } as { [P in K]?: T })
