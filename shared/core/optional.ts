/** `{ [key]: value }`, or an empty object without a value. Spread it into an object whose member may be absent, but not undefined. */
export const optional = <K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } =>
  value === undefined ? {} : ({ [key]: value } as { [P in K]?: T })
