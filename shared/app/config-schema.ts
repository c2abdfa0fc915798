import { toJsonSchema } from '@valibot/to-json-schema'
import { configForm } from './config-form.js'

type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue | undefined }

/** JSON Schema (draft 2020-12) of the configuration secret, made from the form that checks it. Rules that a schema cannot express are left out. */
export function configSchema(): { readonly [key: string]: JsonValue | undefined } {
  const schema = toJsonSchema(configForm, { target: 'draft-2020-12', typeMode: 'input', errorMode: 'ignore' })
  return { $id: 'urn:keyturn:schema:config', title: 'Keyturn configuration secret', ...(schema as { readonly [key: string]: JsonValue }) }
}
