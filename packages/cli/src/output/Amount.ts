/** Amounts as people write and read them: `10GB`, `50GiB`, `100Mbit`; `unlimited` where `null` stands for the top. */

/** The factors of a unit's prefixes, by their lower-case letter. */
const decimal: Readonly<Record<string, bigint>> = {
  "": 1n,
  k: 10n ** 3n,
  m: 10n ** 6n,
  g: 10n ** 9n,
  t: 10n ** 12n,
  p: 10n ** 15n
}
const binary: Readonly<Record<string, bigint>> = {
  k: 2n ** 10n,
  m: 2n ** 20n,
  g: 2n ** 30n,
  t: 2n ** 40n,
  p: 2n ** 50n
}

const most = 2n ** 63n - 1n

/** Multiplies a decimal number by a factor, exactly; `undefined` when a fraction of one is left or it is too much. */
const times = (number: string, factor: bigint): bigint | undefined => {
  const [whole = "", fraction = ""] = number.split(".")
  const scaled = BigInt(whole + fraction) * factor
  const divisor = 10n ** BigInt(fraction.length)
  return scaled % divisor === 0n && scaled / divisor <= most ? scaled / divisor : undefined
}

const number = String.raw`(\d{1,19}(?:\.\d{1,9})?)\s*`

/** Reads bytes: `1500`, `10GB` (10⁹ each), `50GiB` (2³⁰ each), `1.5 TB`. */
export const parseBytes = (text: string): bigint | undefined => {
  const [, digits, prefix, i] = new RegExp(`^${number}([kmgtp]?)(i?)b?$`, "i").exec(text.trim()) ?? []
  const factor = (i === "" ? decimal : binary)[(prefix ?? "").toLowerCase()]
  return digits === undefined || factor === undefined ? undefined : times(digits, factor)
}

/** Reads bit/s: `64000`, `100Mbit`, `1Gbit/s`, `2.5 Gbps`. */
export const parseSpeed = (text: string): bigint | undefined => {
  const [, digits, prefix] = new RegExp(`^${number}([kmgtp]?)(?:bit(?:/s)?|bps)?$`, "i").exec(text.trim()) ?? []
  const factor = decimal[(prefix ?? "").toLowerCase()]
  return digits === undefined || factor === undefined ? undefined : times(digits, factor)
}

const show = (value: bigint, unit: string): string => {
  const [prefix, factor] = Object.entries(decimal).findLast(([, factor]) => value >= factor) ?? ["", 1n]
  const hundredths = (value * 100n) / factor
  const fraction = String(hundredths % 100n)
    .padStart(2, "0")
    .replace(/0+$/, "")
  return `${hundredths / 100n}${fraction === "" ? "" : `.${fraction}`} ${prefix === "k" ? "k" : prefix.toUpperCase()}${unit}`
}

/** Writes bytes in decimal units, two digits after the point: `1.5 GB`. */
export const showBytes = (value: bigint | null): string => (value === null ? "unlimited" : show(value, "B"))

/** Writes bit/s in decimal units: `100 Mbit/s`. */
export const showSpeed = (value: bigint | null): string => (value === null ? "unlimited" : show(value, "bit/s"))
