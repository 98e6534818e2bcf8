/**
 * Where inbounds listen, and which of them cannot be open on one node together.
 *
 * As the kernel sees it: `::` takes every address of both families, `0.0.0.0` every IPv4 one, and an address is the
 * same however it is written. TCP and UDP ports are apart.
 */
/** What decides whether two inbounds can be open together. */
export interface Door {
  readonly id: string
  readonly nodeId: string
  readonly port: number
  readonly listen: string
  /** `tcp`, `udp` or `tcp,udp`. */
  readonly network: string
}

/** Eight groups of an IPv6 literal, or of the IPv4 one mapped into it; null for what is no address. */
const groups = (address: string): ReadonlyArray<number> | null => {
  const dotted = /^(.*?)(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address)
  if (dotted !== null) {
    const [a, b, c, d] = dotted.slice(2).map(Number) as [number, number, number, number]
    if (Math.max(a, b, c, d) > 255) return null
    const tail = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
    return groups(dotted[1] === "" ? `::ffff:${tail}` : `${dotted[1]}${tail}`)
  }
  const [head = "", rest, ...more] = address.split("::")
  if (more.length > 0) return null
  const parse = (text: string) => (text === "" ? [] : text.split(":"))
  const [before, after] = [parse(head), parse(rest ?? "")]
  const missing = 8 - before.length - after.length
  if (rest === undefined ? missing !== 0 : missing < 1) return null
  const all = [...before, ...Array.from({ length: Math.max(0, missing) }, () => "0"), ...after]
  return all.every((group) => /^[0-9a-f]{1,4}$/i.test(group)) ? all.map((group) => Number.parseInt(group, 16)) : null
}

/** True for an IPv4 or IPv6 literal. */
export const isAddress = (text: string): boolean => groups(text) !== null

/** One spelling of an address: the same for `::1` and `0:0::1`, and for `10.0.0.1` and `::ffff:10.0.0.1`. */
const canonical = (address: string): string =>
  groups(address)
    ?.map((group) => group.toString(16))
    .join(":") ?? address

const everything = canonical("::")
const everyIpv4 = canonical("0.0.0.0")
const ipv4 = everyIpv4.slice(0, -"0:0".length)

/** True when sockets on these two addresses would stand in each other's way. */
export const overlaps = (one: string, two: string): boolean => {
  const [a, b] = [canonical(one), canonical(two)]
  const covers = (wide: string, narrow: string) =>
    wide === everything || (wide === everyIpv4 && narrow.startsWith(ipv4))
  return a === b || covers(a, b) || covers(b, a)
}

/** The first of `others` that cannot be open beside `door`: one node, port and transport, overlapping addresses. */
export const inTheWay = <A extends Door>(door: Door, others: ReadonlyArray<A>): A | undefined => {
  const transports = door.network.split(",")
  return others.find(
    (other) =>
      other.id !== door.id &&
      other.nodeId === door.nodeId &&
      other.port === door.port &&
      other.network.split(",").some((transport) => transports.includes(transport)) &&
      overlaps(door.listen, other.listen)
  )
}
