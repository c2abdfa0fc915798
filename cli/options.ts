import { Help, Option } from 'commander'
import { storeKinds } from '../shared/app/wire.js'

/** `--store`, the same for every command that goes through a whole store. */
export const storeOption = (help = 'the store'): Option => new Option('--store <kind>', help).choices([...storeKinds]).default('file')

/** The mark of an option that must be given. It comes from the declaration, so that help cannot forget one. */
const requiredMark = ({ mandatory }: Option): string => (mandatory ? ' (required)' : '')

/** What one line says of an option, with the mark of those that must be given. */
export const describeOption = (option: Option): string => `${option.description}${requiredMark(option)}`

/** How every command describes its options in its help. */
export const helpOfOptions = {
  optionDescription(option: Option): string {
    return `${new Help().optionDescription(option)}${requiredMark(option)}`
  },
}
