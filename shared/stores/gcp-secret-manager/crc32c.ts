const castagnoli = 0x82f6_3b78 // the polynomial, its bits in reverse

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let entry = byte
  for (let bit = 0; bit < 8; bit++) entry = entry & 1 ? (entry >>> 1) ^ castagnoli : entry >>> 1
  return entry
})

/**
 * The CRC-32C (Castagnoli) of bytes, which Secret Manager takes with a payload and gives back with it. The CRC-32 of Node's zlib has another polynomial.
 */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] ?? 0)
  return (crc ^ 0xffff_ffff) >>> 0
}
