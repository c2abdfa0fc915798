/** A number with its noun, which is in the singular after 1: `1 consumer`, `0 consumers`. `many` is the plural where it is not made by an s. */
export const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`
