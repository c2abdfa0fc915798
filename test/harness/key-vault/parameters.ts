import { badParameter, maxima, type Tags } from './model.js'

/** What a PUT or a PATCH may say; undefined where it says nothing. */
export interface Parameters {
  readonly value: string | undefined
  readonly contentType: string | undefined
  readonly tags: Tags | undefined
  readonly enabled: boolean | undefined
  readonly notBefore: number | undefined
  readonly expires: number | undefined
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
function objectIn(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {}
  if (!isObject(value)) throw badParameter(`Property ${what} must be an object.`)
  return value
}
function textIn(value: unknown, what: string): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw badParameter(`Property ${what} must be a string.`)
  return value
}
function secondsIn(value: unknown, what: string): number | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) throw badParameter(`Property ${what} must be a time in seconds.`)
  return value
}
function tagsIn(value: unknown): Tags | undefined {
  if (value === undefined || value === null) return undefined
  const tags = Object.entries(objectIn(value, 'tags')).map(([key, text]) => [key, textIn(text, `tags.${key}`) ?? ''] as const)
  if (tags.length > maxima.tags) throw badParameter(`No more than ${maxima.tags} tags can be assigned.`)
  if (tags.some(([key, text]) => key.length > maxima.tagCharacters || text.length > maxima.tagCharacters))
    throw badParameter(`The name and the value of a tag can have up to ${maxima.tagCharacters} characters.`)
  return Object.fromEntries(tags)
}

export function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch (cause) {
    throw badParameter(`The body is not JSON: ${String(cause)}`)
  }
}
/** Unknown members are let be, as null is: what the service does with them is not documented. */
export function parametersOf(body: unknown): Parameters {
  const whole = objectIn(body, 'body')
  const attributes = objectIn(whole.attributes, 'attributes')
  const value = textIn(whole.value, 'value')
  if (Buffer.byteLength(value ?? '') > maxima.valueBytes) throw badParameter(`The value can have up to ${maxima.valueBytes} bytes.`)
  const contentType = textIn(whole.contentType, 'contentType')
  if ((contentType ?? '').length > maxima.contentTypeCharacters)
    throw badParameter(`The content type can have up to ${maxima.contentTypeCharacters} characters.`)
  const { enabled } = attributes
  if (enabled !== undefined && enabled !== null && typeof enabled !== 'boolean') throw badParameter('Property enabled must be a boolean.')
  return {
    value,
    contentType,
    tags: tagsIn(whole.tags),
    enabled: enabled ?? undefined,
    notBefore: secondsIn(attributes.nbf, 'attributes.nbf'),
    expires: secondsIn(attributes.exp, 'attributes.exp'),
  }
}

export function checkName(name: string): void {
  if (!/^[0-9a-zA-Z-]{1,127}$/.test(name))
    throw badParameter(`The request URI contains an invalid name: ${name}. It must match the pattern ^[0-9a-zA-Z-]{1,127}$.`)
}
